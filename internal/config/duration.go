package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDays is the longest duration: a century is longer than any of them needs to be, and far from overflowing.
const maxDays = 36500

// parseDuration reads what time.ParseDuration reads, and days.
func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	days, rest := 0, text
	before, after, inDays := strings.Cut(text, "d")
	if inDays {
		n, err := strconv.Atoi(before)
		if err != nil {
			return 0, notDuration(text)
		}
		days, rest = n, after
	}
	var d time.Duration
	if rest != "" || !inDays {
		var err error
		if d, err = time.ParseDuration(rest); err != nil {
			if _, number := strconv.ParseFloat(text, 64); number == nil {
				return 0, fmt.Errorf("%q has no unit; write %ss, or whichever unit is meant", text, text)
			}
			return 0, notDuration(text)
		}
	}
	if days < 0 || d < 0 {
		return 0, fmt.Errorf("%q is negative; a duration must not be", text)
	}
	if days > maxDays || d > maxDays*24*time.Hour {
		return 0, fmt.Errorf("%q is longer than a century; write less", text)
	}
	return time.Duration(days)*24*time.Hour + d, nil
}

func notDuration(text string) error {
	return fmt.Errorf("%q is not a duration; write one like 500ms, 10s, 5m, 240h or 10d", text)
}

// formatDuration writes a duration as people write it: 240h, not 240h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
