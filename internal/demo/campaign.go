package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Campaign is one drill, run many times, each on a fleet of its own.
type Campaign struct {
	Drill  string    `json:"drill"`
	Flavor string    `json:"flavor"`
	Runs   []*Report `json:"runs"`
	Floors []*Floor  `json:"floors,omitempty"` // of a failover, measured between the runs
}

// floorEvery is how many runs share one measurement of the floor: the machine's speed drifts, so the two are measured side by side.
const floorEvery = 4

// Repeat runs a drill so often, and tells of every run. It goes on after a run that did not hold, and ends at one that could not be run.
func Repeat(ctx context.Context, opts Options, name string, runs int, tell func(string)) (*Campaign, error) {
	c := &Campaign{Drill: name, Flavor: string(opts.Flavor)}
	opts.Progress = nil
	for n := range runs {
		report, err := Once(ctx, opts, name)
		if err != nil {
			return c, fmt.Errorf("run %d: %w", n+1, err)
		}
		c.Runs = append(c.Runs, report)
		tell(fmt.Sprintf("%3d/%d  %s", n+1, runs, report.line()))
		if name == "failover" && n%floorEvery == 0 {
			floor, err := MeasureFloor(ctx, opts)
			if err != nil {
				return c, fmt.Errorf("measure the floor: %w", err)
			}
			c.Floors = append(c.Floors, floor)
		}
	}
	return c, nil
}

func (r *Report) line() string {
	verdict := "held"
	if !r.Held {
		verdict = fmt.Sprintf("DID NOT HOLD %q", r.Violations)
	}
	return fmt.Sprintf("detected %8.1f ms  write gap %8.1f ms  acknowledged %6d  lost %d  %s", r.DetectedMS, r.WriteGapMS, r.Acknowledged, r.Lost, verdict)
}

// Held counts the runs in which everything held.
func (c *Campaign) Held() int {
	n := 0
	for _, r := range c.Runs {
		if r.Held {
			n++
		}
	}
	return n
}

// Print writes the medians, with the least and the most of every figure, each phase beside its floor where there is one.
func (c *Campaign) Print(w io.Writer) {
	acknowledged, lost := 0, 0
	phases := make(map[string][]float64)
	var order []string
	for _, r := range c.Runs {
		acknowledged, lost = acknowledged+r.Acknowledged, lost+r.Lost
		for _, p := range r.Phases {
			if phases[p.Name] == nil {
				order = append(order, p.Name)
			}
			phases[p.Name] = append(phases[p.Name], p.TookMS)
		}
	}
	fmt.Fprintf(w, "%s on %s: %d of %d held, %d rows acknowledged, %d lost\n", c.Drill, c.Flavor, c.Held(), len(c.Runs), acknowledged, lost)
	fmt.Fprintf(w, "  %-14s %10s %10s %10s %12s\n", "ms", "median", "least", "most", "floor")
	row := func(name string, values []float64, floor func(*Floor) float64) {
		if len(values) == 0 {
			return
		}
		text := "-"
		if floor != nil && len(c.Floors) > 0 {
			var floors []float64
			for _, f := range c.Floors {
				floors = append(floors, floor(f))
			}
			text = fmt.Sprintf("%.1f", median(floors))
		}
		fmt.Fprintf(w, "  %-14s %10.1f %10.1f %10.1f %12s\n", name, median(values), slices.Min(values), slices.Max(values), text)
	}
	row("write gap", figures(c.Runs, func(r *Report) float64 { return r.WriteGapMS }), func(f *Floor) float64 { return f.WriteGap })
	row("detected", figures(c.Runs, func(r *Report) float64 { return r.DetectedMS }), func(f *Floor) float64 { return f.SocketsClose })
	floors := map[string]func(*Floor) float64{
		"freeze": func(f *Floor) float64 { return f.Freeze }, "promote": func(f *Floor) float64 { return f.Promote }, "repoint": func(f *Floor) float64 { return f.Repoint },
	}
	for _, name := range order {
		row(name, phases[name], floors[name])
	}
}

func figures(runs []*Report, of func(*Report) float64) []float64 {
	out := make([]float64, len(runs))
	for n, r := range runs {
		out[n] = of(r)
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
