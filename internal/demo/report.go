package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is what a drill found out. Durations are in milliseconds.
type Report struct {
	Drill      string   `json:"drill"`
	Flavor     string   `json:"flavor"`
	SemiSync   bool     `json:"semi_sync"`
	Held       bool     `json:"held"`                 // everything that must hold did
	Violations []string `json:"violations,omitempty"` // what did not

	DetectedMS float64 `json:"detected_ms"`  // from the fault, or the request, to the open recovery
	WriteGapMS float64 `json:"write_gap_ms"` // the longest time in which the client got no acknowledgement
	Phases     []Phase `json:"phases"`       // of the recovery, by their first steps
	Outcome    string  `json:"outcome"`
	Explained  string  `json:"explained"` // why the recovery was begun

	OldPrimary        string `json:"old_primary"`
	NewPrimary        string `json:"new_primary"`
	Acknowledged      int    `json:"acknowledged"` // rows that the client was told are safe
	Lost              int    `json:"lost"`         // of them, missing on the new primary
	ReplicasFollowing int    `json:"replicas_following"`
	OldPrimaryFenced  *bool  `json:"old_primary_fenced,omitempty"` // after it woke up; only where it did
	SemiSyncKept      *bool  `json:"semi_sync_kept,omitempty"`     // the new primary waits for acknowledgements as the old one did
}

// Phase is one part of a recovery.
type Phase struct {
	Name    string  `json:"name"`
	AfterMS float64 `json:"after_ms"` // from the fault to its first step
	TookMS  float64 `json:"took_ms"`  // from its first step to the end of its last
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *Report) violate(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	verdict := "held"
	if !r.Held {
		verdict = "DID NOT HOLD"
	}
	semi := "semi-sync"
	if !r.SemiSync {
		semi = "asynchronous"
	}
	fmt.Fprintf(w, "%s on %s (%s): %s\n", r.Drill, r.Flavor, semi, verdict)
	fmt.Fprintf(w, "  %-22s %s\n", "outcome", r.Outcome)
	fmt.Fprintf(w, "  %-22s %s\n", "why", r.Explained)
	fmt.Fprintf(w, "  %-22s %s -> %s\n", "primary", r.OldPrimary, r.NewPrimary)
	fmt.Fprintf(w, "  %-22s %.1f ms\n", "detected", r.DetectedMS)
	fmt.Fprintf(w, "  %-22s %.1f ms\n", "write gap", r.WriteGapMS)
	for _, p := range r.Phases {
		fmt.Fprintf(w, "    %-20s after %8.1f ms, took %8.1f ms\n", p.Name, p.AfterMS, p.TookMS)
	}
	fmt.Fprintf(w, "  %-22s %d acknowledged, %d lost\n", "rows", r.Acknowledged, r.Lost)
	fmt.Fprintf(w, "  %-22s %d\n", "replicas following", r.ReplicasFollowing)
	if r.OldPrimaryFenced != nil {
		fmt.Fprintf(w, "  %-22s %v\n", "old primary fenced", *r.OldPrimaryFenced)
	}
	if len(r.Violations) > 0 {
		fmt.Fprintf(w, "  violated:\n    - %s\n", strings.Join(r.Violations, "\n    - "))
	}
}
