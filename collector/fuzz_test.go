package collector

import (
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

func FuzzGrantLine(f *testing.F) {
	f.Add("GRANT SELECT, RELOAD ON *.* TO `b`@`%`")
	f.Add("GRANT `r`@`%` TO `b`@`%`")
	f.Add("GRANT  ON  TO ")
	f.Add("GRANT SELECT (`a`, `b`), UPDATE ON `x`.`y` TO `b`@`%` WITH GRANT OPTION")
	f.Fuzz(func(t *testing.T, line string) {
		var held privileges
		held.add(line)
		if !strings.HasPrefix(line, "GRANT ") && len(held) > 0 {
			t.Errorf("%q grants %v", line, held)
		}
		if held.has("RELOAD", "") && !strings.Contains(strings.ToUpper(line), "RELOAD") && !strings.Contains(strings.ToUpper(line), "ALL") {
			t.Errorf("%q is taken for RELOAD", line)
		}
	})
}

func FuzzHostOfClient(f *testing.F) {
	for _, text := range []string{"10.0.0.1:5", "2001:db8::1:5", "localhost", "[::1]:5", ":", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host := hostOfClient(text)
		if id := topology.NewInstanceID(host, 3306); id != "" && id.Port() != 3306 {
			t.Errorf("%q is %q, and the instance %q", text, host, id)
		}
	})
}
