package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/internal/lab"
)

// Drills lists what can be broken, or asked for, in the order of documents.
func Drills() []string { return []string{"failover", "hang", "takeover", "relocate", "backlog"} }

// DefaultBacklog is how many received and unapplied transactions the backlog drill leaves on every replica.
const DefaultBacklog = 30_000

// settledRows is how much the client writes before anything is broken.
const settledRows = 300

// drill is one run: a writing client, one fault, and what became of it.
type drill struct {
	*Fleet
	report  *Report
	writer  *lab.Writer
	backlog lab.Report
	fault   time.Time
	before  map[string]bool // recoveries that were there before the fault
	stream  []api.Progress
	asked   bool // the drill itself asked for the recovery
}

// Run runs one drill on a fleet that is healthy and reports. The error is for a drill that could not be run; one that ran and did not hold says so
// in its report.
func (f *Fleet) Run(ctx context.Context, name string) (*Report, error) {
	if !slices.Contains(Drills(), name) {
		return nil, fmt.Errorf("drill %q is not one of %s", name, strings.Join(Drills(), ", "))
	}
	d := &drill{Fleet: f, before: make(map[string]bool), report: &Report{Drill: name, Flavor: string(f.opts.Flavor), SemiSync: !f.opts.Async}}
	view, err := f.Client.Cluster(ctx, clusterName)
	if err != nil {
		return nil, err
	}
	d.report.OldPrimary = view.Primary
	if err := d.run(ctx, name, view); err != nil {
		return nil, err
	}
	d.report.Held = len(d.report.Violations) == 0
	return d.report, nil
}

func (d *drill) run(ctx context.Context, name string, view api.ClusterView) error {
	known, err := d.Client.Recoveries(ctx, clusterName, nil)
	if err != nil {
		return err
	}
	for _, r := range known {
		d.before[r.ID] = true
	}
	d.writer = lab.StartWriter(ctx, d.Servers.Addrs(), lab.WriterOptions{})
	defer d.writer.Stop()
	err = d.until(ctx, readyPatience, "the client to write", func(context.Context) (bool, error) {
		return d.writer.Report().Acknowledged >= settledRows, nil
	})
	if err != nil {
		return err
	}
	d.say("a client writes; %s", map[string]string{
		"failover": "kill -9 of the primary", "hang": "SIGSTOP of the primary", "takeover": "a takeover is asked for",
		"relocate": "a replica is moved below another", "backlog": fmt.Sprintf("the replicas receive %d transactions without applying them", d.opts.Backlog),
	}[name])
	ids, err := d.strike(ctx, name, view)
	if err != nil {
		return err
	}
	if err := d.follow(ctx, ids); err != nil {
		return err
	}
	return d.check(ctx, name)
}

// strike does what the drill is about. It returns the recovery where the drill itself asked for one.
func (d *drill) strike(ctx context.Context, name string, view api.ClusterView) (string, error) {
	primary := d.server(view.Primary)
	switch name {
	case "failover":
		d.fault = time.Now()
		return "", primary.Kill()
	case "hang":
		d.fault = time.Now()
		return "", primary.Freeze()
	case "backlog":
		report, err := d.Servers.Backlog(ctx, d.opts.Backlog)
		if err != nil {
			return "", err
		}
		d.backlog = report
		if err := d.Servers.StartAppliers(ctx); err != nil {
			return "", err
		}
		d.fault = time.Now()
		return "", primary.Kill()
	}
	req := api.RecoveryRequest{Kind: name, Cluster: clusterName, Signature: api.Signature{By: "demo", Reason: "a drill"}}
	if name == "relocate" {
		replicas := d.replicasOf(view)
		req.Instance, req.To = replicas[len(replicas)-1], replicas[0]
	}
	d.fault = time.Now()
	d.asked = true
	started, err := d.Client.StartRecovery(ctx, req)
	return started.ID, err
}

func (d *drill) replicasOf(view api.ClusterView) []string {
	var out []string
	for _, m := range view.Members {
		if m.Source == view.Primary {
			out = append(out, m.ID)
		}
	}
	return out
}

// follow watches the recovery to its end, and says how it goes.
func (d *drill) follow(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, recoverPatience)
	defer cancel()
	if id == "" {
		err := d.until(ctx, recoverPatience, "a recovery to begin", func(ctx context.Context) (bool, error) {
			all, err := d.Client.Recoveries(ctx, clusterName, nil)
			for _, r := range all {
				if !d.before[r.ID] {
					id = r.ID
				}
			}
			return id != "", err
		})
		if err != nil {
			d.report.violate("no recovery began: %v", err)
			return nil
		}
	}
	aborted := false
	shown := time.Time{}
	err := d.Client.Progress(ctx, id, func(p api.Progress) error {
		d.stream = append(d.stream, p)
		aborted = p.Outcome == api.OutcomeAborted
		if p.State == api.StateProgress && p.At.Sub(shown) > time.Second/2 {
			shown = p.At
			d.say("  %s: %d of %d transactions applied", p.Phase, p.Sofar, p.Total)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if aborted && !d.asked {
		// Nothing was done, because somebody could not be asked just then. Baton tries again by itself.
		d.say("  put off: %s", d.stream[len(d.stream)-1].Text)
		d.before[id] = true
		return d.follow(ctx, "")
	}
	return d.read(ctx, id)
}

// read takes from the ledger and the stream what the report says of the recovery.
func (d *drill) read(ctx context.Context, id string) error {
	r, err := d.Client.Recovery(ctx, id)
	if err != nil {
		return err
	}
	d.report.DetectedMS = ms(r.Opened.Sub(d.fault))
	d.report.Outcome, d.report.Explained, d.report.NewPrimary = r.Outcome, r.Reason, r.Successor
	if r.Outcome != api.OutcomeSuccess {
		d.report.violate("the recovery ended as %s: %s", r.Outcome, r.Message)
	}
	type span struct{ from, to time.Time }
	spans, order := make(map[string]*span), []string(nil)
	for _, p := range d.stream {
		if p.Phase == "" {
			continue
		}
		if spans[p.Phase] == nil {
			spans[p.Phase] = &span{from: p.At}
			order = append(order, p.Phase)
		}
		spans[p.Phase].to = p.At
	}
	for _, phase := range order {
		s := spans[phase]
		d.report.Phases = append(d.report.Phases, Phase{Name: phase, AfterMS: ms(s.from.Sub(d.fault)), TookMS: ms(s.to.Sub(s.from))})
	}
	return nil
}

// check demands what must hold after the drill of this name.
func (d *drill) check(ctx context.Context, name string) error {
	expected := 3
	switch name {
	case "failover", "hang", "backlog":
		expected = 2 // the old primary is gone
	}
	primary := d.report.NewPrimary
	if name == "relocate" {
		primary = d.report.OldPrimary
		d.report.NewPrimary = primary
	} else if primary == d.report.OldPrimary || primary == "" {
		d.report.violate("no new primary")
		d.writer.Stop()
		return nil
	}
	if err := d.writer.WaitAcknowledged(ctx, primary); err != nil {
		d.report.violate("the client could not write to %s: %v", primary, err)
	}
	d.countFollowers(ctx, primary, expected)
	if err := d.stopWriter(ctx, primary); err != nil {
		return err
	}
	if name == "hang" {
		d.wake(ctx)
	}
	return nil
}

// countFollowers waits until the replicas follow again: those of the primary, and those below them.
func (d *drill) countFollowers(ctx context.Context, primary string, expected int) {
	err := d.until(ctx, followPatience, "the replicas to follow", func(ctx context.Context) (bool, error) {
		d.report.ReplicasFollowing = 0
		for _, s := range d.Servers.Servers {
			if s.Addr() == primary || !s.Running() || s.Addr() == d.report.OldPrimary && expected == 2 {
				continue
			}
			r, replicates, err := s.Replication(ctx)
			if err == nil && replicates && r.Receiver == "Yes" && r.Applier == "Yes" && r.Source != d.report.OldPrimary || d.follows(r, primary) {
				d.report.ReplicasFollowing++
			}
		}
		return d.report.ReplicasFollowing >= expected, nil
	})
	if err != nil {
		d.report.violate("%d of %d replicas follow: %v", d.report.ReplicasFollowing, expected, err)
	}
}

func (d *drill) follows(r lab.Replication, primary string) bool {
	return r.Source == primary && r.Receiver == "Yes" && r.Applier == "Yes"
}

// stopWriter ends the client and counts what is missing on the server that is the primary now.
func (d *drill) stopWriter(ctx context.Context, primary string) error {
	report := d.writer.Stop()
	d.report.WriteGapMS, d.report.Acknowledged = ms(d.writer.ReportSince(d.fault).MaxGap), report.Acknowledged
	lost, err := report.Lost(ctx, primary)
	if err != nil {
		return err
	}
	if d.backlog.Acknowledged > 0 {
		more, err := d.backlog.Lost(ctx, primary)
		if err != nil {
			return err
		}
		lost = append(lost, more...)
		d.report.Acknowledged += d.backlog.Acknowledged
	}
	d.report.Lost = len(lost)
	if d.report.Lost > 0 && d.report.SemiSync {
		d.report.violate("%d acknowledged rows are lost", d.report.Lost)
	}
	if d.report.SemiSync && d.report.Flavor == string(lab.MySQL) {
		on, err := d.server(primary).Value(ctx, "SELECT @@global.rpl_semi_sync_source_enabled")
		kept := err == nil && on == "1"
		d.report.SemiSyncKept = &kept
		if !kept {
			d.report.violate("the new primary does not wait for acknowledgements")
		}
	}
	return nil
}

// wake lets the old primary go on and demands that it refuses writes from then on.
func (d *drill) wake(ctx context.Context) {
	old := d.server(d.report.OldPrimary)
	fenced := false
	d.report.OldPrimaryFenced = &fenced
	if err := old.Thaw(); err != nil {
		d.report.violate("the old primary did not wake up: %v", err)
		return
	}
	err := d.until(ctx, followPatience, "the old primary to be fenced", func(ctx context.Context) (bool, error) {
		closed, err := old.Value(ctx, "SELECT @@global.read_only")
		fenced = err == nil && closed == "1"
		return fenced, nil
	})
	if err != nil {
		d.report.violate("%v", err)
	}
}
