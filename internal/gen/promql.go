package gen

import (
	"strconv"
	"strings"
)

// with joins matchers, of which some may be empty.
func with(matchers ...string) string {
	var all []string
	for _, m := range matchers {
		if m != "" {
			all = append(all, m)
		}
	}
	return strings.Join(all, ",")
}

func itoa(n int) string { return strconv.Itoa(n) }
