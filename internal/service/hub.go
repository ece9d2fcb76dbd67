package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/remediation"
)

// keepStreams is how many ended recoveries can still be replayed step by step. The ledger keeps their journals for longer.
const keepStreams = 64

// hub hands the progress of recoveries to whoever watches. A watcher gets what has happened so far and then what happens, up to the end.
type hub struct {
	mu      sync.Mutex
	streams map[string]*stream
	order   []string
}

type stream struct {
	events  []api.Progress
	ended   bool
	changed chan struct{} // closed and replaced with every event
}

func newHub() *hub { return &hub{streams: make(map[string]*stream)} }

func (h *hub) open(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.streams[id]; old != nil && !old.ended {
		return
	} else if old == nil {
		h.order = append(h.order, id)
	}
	h.streams[id] = &stream{changed: make(chan struct{})}
	if len(h.order) > keepStreams {
		delete(h.streams, h.order[0])
		h.order = h.order[1:]
	}
}

func (h *hub) publish(id string, p api.Progress) { h.add(id, p, false) }
func (h *hub) close(id string, p api.Progress)   { h.add(id, p, true) }

func (h *hub) add(id string, p api.Progress, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[id]
	if s == nil || s.ended {
		return
	}
	s.events = append(s.events, p)
	s.ended = ended
	close(s.changed)
	s.changed = make(chan struct{})
}

// watch streams the progress of a recovery until it ends or ctx does.
func (h *hub) watch(ctx context.Context, id string) (<-chan api.Progress, error) {
	h.mu.Lock()
	s := h.streams[id]
	h.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("recovery %s: its steps are not kept in this process", id)
	}
	out := make(chan api.Progress)
	go func() {
		defer close(out)
		for next := 0; ; {
			h.mu.Lock()
			events, ended, changed := s.events[next:], s.ended, s.changed
			h.mu.Unlock()
			for _, e := range events {
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
			next += len(events)
			if ended {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func progress(id string, e remediation.Event, at time.Time) api.Progress {
	p := api.Progress{
		Recovery: id, At: at, Phase: string(e.Phase), Step: string(e.Step.Action), Text: e.Step.String(), On: string(e.Step.On),
		State: string(e.State), Sofar: e.Sofar, Total: e.Total,
	}
	if e.Err != nil {
		p.Error = e.Err.Error()
	}
	return p
}
