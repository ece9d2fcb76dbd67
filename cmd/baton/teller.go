package main

import (
	"fmt"

	"github.com/batondb/baton/api"
)

// teller writes one line for each step that ends. On a screen a step that takes long has a line that moves; elsewhere it has one for every tenth.
type teller struct {
	*terminal
	began map[string]api.Progress // by step: the last that was told of its progress
	open  bool                    // the last line on the screen has no end yet
}

func (t *teller) tell(p api.Progress) {
	key := p.Phase + " " + p.Step + " " + p.On
	switch p.State {
	case api.StateProgress:
		t.progress(key, p)
		return
	case api.StateDone:
		t.finish()
		t.printf("%s %s%s\n", t.tick(true), p.Text, t.took(p))
	case api.StateSkipped:
		t.finish()
		t.printf("- %s %s\n", p.Text, t.paint(dim, "(it is so already)"))
	case api.StateFailed:
		t.finish()
		t.printf("%s %s%s: %s\n", t.tick(false), p.Text, t.took(p), p.Error)
	}
}

func (t *teller) took(p api.Progress) string {
	if p.TookSeconds <= 0 {
		return ""
	}
	return t.paint(dim, " ("+short(p.TookSeconds)+")")
}

func (t *teller) progress(key string, p api.Progress) {
	if p.Total == 0 {
		return
	}
	line := fmt.Sprintf("… %s: %s of %s (%d %%)", p.Text, many(p.Sofar), many(p.Total), p.Sofar*100/p.Total)
	last, told := t.began[key]
	t.began[key] = p
	switch {
	case t.live:
		if runes := []rune(line); t.width > 0 && len(runes) >= t.width {
			line = string(runes[:t.width-1]) // a line that wraps could not be taken back
		}
		t.printf("\r\x1b[K%s", line)
		t.open = true
	case !told || p.Sofar*10/p.Total > last.Sofar*10/max(last.Total, 1):
		t.printf("%s\n", line)
	}
}

// finish takes the moving line away.
func (t *teller) finish() {
	if t.open {
		t.printf("\r\x1b[K")
		t.open = false
	}
}
