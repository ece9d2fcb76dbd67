package analysis

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/topology"
)

// randomInput makes a small fleet in which anything may be wrong.
func randomInput(r *rand.Rand) topology.Input {
	at := topology.NotationTime
	in := topology.Input{At: at, Nodes: 1 + 2*r.IntN(2)}
	in.Intents.Clusters = make(map[string]topology.NamedCluster)
	in.Intents.Downtimes = make(map[topology.InstanceID]topology.Hold)
	in.Intents.Deposed = make(map[topology.InstanceID]topology.Deposed)
	in.Intents.Quarantined = make(map[topology.InstanceID]topology.Quarantine)
	in.Intents.Open = make(map[string]topology.OpenRecovery)
	for c := range 1 + r.IntN(4) {
		name := fmt.Sprintf("c%d", c)
		var ids []topology.InstanceID
		for n := range 1 + r.IntN(6) {
			id := topology.NewInstanceID(fmt.Sprintf("h%d-%d", c, n/(1+r.IntN(2))), 3306+n)
			o := randomObservation(r, id, at)
			if len(ids) > 0 && r.IntN(12) > 0 && !o.Facts.At.IsZero() {
				o.Facts.Channels = []topology.Channel{randomChannel(r, ids[r.IntN(len(ids))], o.Facts.At)}
			}
			ids = append(ids, id)
			in.Observations = append(in.Observations, o)
			if r.IntN(12) == 0 {
				in.Intents.Downtimes[id] = topology.Hold{}
			}
			if r.IntN(12) == 0 {
				in.Intents.Deposed[id] = topology.Deposed{Cluster: name}
			}
			if r.IntN(12) == 0 {
				in.Intents.Quarantined[id] = topology.Quarantine{}
			}
			for v := range r.IntN(in.Nodes) {
				in.Votes = append(in.Votes, topology.Vote{
					Node: fmt.Sprintf("n%d", v+2), Instance: id, Reach: topology.Reach(r.IntN(7)), Failures: r.IntN(4), At: at.Add(-time.Duration(r.IntN(60)) * time.Second),
				})
			}
		}
		if len(ids) > 1 && r.IntN(4) == 0 { // a circle
			first := &in.Observations[len(in.Observations)-len(ids)]
			if !first.Facts.At.IsZero() {
				first.Facts.Channels = []topology.Channel{randomChannel(r, ids[1], first.Facts.At)}
			}
		}
		if r.IntN(2) == 0 {
			in.Intents.Clusters[name] = topology.NamedCluster{Members: ids, Primary: ids[r.IntN(len(ids))]}
			if r.IntN(5) == 0 {
				in.Intents.Open[name] = topology.OpenRecovery{}
			}
		}
	}
	return in
}

func randomObservation(r *rand.Rand, id topology.InstanceID, at time.Time) topology.Observation {
	o := topology.Observation{Instance: id, Reach: topology.ReachUp, Attempted: at}
	if r.IntN(3) == 0 {
		o.Reach = topology.Reach(r.IntN(7))
	}
	switch {
	case o.Reach.Unreachable():
		o.Failures = 1 + r.IntN(3)
		o.FailingSince = at.Add(-time.Duration(r.IntN(200)) * time.Second)
		if r.IntN(4) == 0 {
			o.SentinelFell = o.FailingSince
		}
		o.Facts.At = o.FailingSince.Add(-time.Duration(r.IntN(80)) * time.Second)
	case o.Reach == topology.ReachPartial:
		o.Partials = 1 + r.IntN(4)
		o.Facts.At = at.Add(-time.Minute)
	default:
		o.Facts.At = at
	}
	if r.IntN(15) == 0 {
		o.Attempted = at.Add(-time.Hour)
	}
	if r.IntN(15) == 0 {
		o.Facts.At = time.Time{}
	}
	o.Facts.ReadOnly = r.IntN(2) == 0
	o.Facts.LogBin, o.Facts.LogReplicaUpdates = r.IntN(3) > 0, r.IntN(3) > 0
	o.Facts.DataCenter = fmt.Sprintf("dc%d", r.IntN(3))
	return o
}

func randomChannel(r *rand.Rand, source topology.InstanceID, seen time.Time) topology.Channel {
	c := topology.Channel{Source: source, Receiver: topology.ReceiverConnected, Applier: topology.ApplierRunning, LagKnown: true, HeardAt: seen}
	if r.IntN(2) == 0 {
		c.Receiver = topology.Receiver(r.IntN(4))
	}
	c.ReceiverSince = seen.Add(-time.Duration(r.IntN(20)) * time.Second)
	c.ReceiverErrno = []int{0, 0, 2003, 2013, 1045, 1236}[r.IntN(6)]
	if r.IntN(4) == 0 {
		c.Applier = topology.Applier(r.IntN(3))
		c.ApplierErrno = []int{0, 1062}[r.IntN(2)]
	}
	if r.IntN(3) == 0 {
		c.Lag, c.LagKnown = time.Duration(r.IntN(30))*time.Second, r.IntN(2) == 0
	}
	if r.IntN(8) == 0 {
		c.Delay = time.Hour
	}
	return c
}

// eachInput runs a test on all scenarios and on random fleets.
func eachInput(t *testing.T, do func(t *testing.T, in topology.Input, p Policy)) {
	t.Helper()
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) { do(t, s.input, s.policy) })
	}
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			do(t, randomInput(rand.New(rand.NewPCG(seed, 1))), DefaultPolicy())
		})
	}
}

func TestEvaluateDoesNotDependOnOrder(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		want := Evaluate(topology.Build(in), Table, p)
		r := rand.New(rand.NewPCG(7, 7))
		for range 5 {
			in.Observations, in.Votes = slices.Clone(in.Observations), slices.Clone(in.Votes)
			r.Shuffle(len(in.Observations), func(i, j int) { in.Observations[i], in.Observations[j] = in.Observations[j], in.Observations[i] })
			r.Shuffle(len(in.Votes), func(i, j int) { in.Votes[i], in.Votes[j] = in.Votes[j], in.Votes[i] })
			if got := Evaluate(topology.Build(in), Table, p); !slices.Equal(got, want) {
				t.Fatalf("found\n%s\ninstead of\n%s", print(got), print(want))
			}
		}
	})
}

func TestEvaluateIsPure(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		snap, like := topology.Build(in), topology.Build(in)
		once, twice := Evaluate(snap, Table, p), Evaluate(snap, Table, p)
		if !slices.Equal(once, twice) {
			t.Errorf("found\n%s\nand then\n%s", print(once), print(twice))
		}
		if !reflect.DeepEqual(snap, like) {
			t.Error("the snapshot has changed")
		}
	})
}

func TestEvaluateClusterSaysWhatEvaluateSays(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		snap := topology.Build(in)
		all := Evaluate(snap, Table, p)
		var joined []Finding
		for _, f := range all {
			if f.Area != "" {
				joined = append(joined, f)
			}
		}
		for _, c := range snap.Clusters {
			joined = append(joined, EvaluateCluster(snap, c.Name, Table, p)...)
		}
		if !slices.Equal(joined, all) {
			t.Errorf("cluster by cluster\n%s\nall at once\n%s", print(joined), print(all))
		}
	})
}

func TestEvaluateClusterOfNobody(t *testing.T) {
	if got := EvaluateCluster(topology.Build(topology.Input{}), "none", Table, Policy{}); got != nil {
		t.Errorf("found %v", got)
	}
}

// TestNoOutageIsSilent demands that whatever is down is said to be: the rules leave no gap between them.
func TestNoOutageIsSilent(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		snap := topology.Build(in)
		found := Evaluate(snap, Table, p)
		for _, i := range snap.Instances() {
			_, here := snap.Here(i)
			if !i.Down && !here {
				continue
			}
			if i.Deposed && i.Role == topology.RolePrimary {
				continue // its replicas are said to follow the wrong source
			}
			if i.Role == topology.RolePrimary && i.Down && len(snap.Intents.Open) > 0 {
				continue // a recovery is at work on it, or has just given the role to another
			}
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Instance == i.Instance && slices.Contains(outages, Find(Table, f.Rule)) }) {
				t.Errorf("%s (%s) is down and nobody says so:\n%s\n%s", i.Instance, i.Role, topology.FormatInput(in), print(found))
			}
		}
	})
}

// TestOneOutageAtATime demands that no two rules which would act on the same instance stand beside each other unmasked.
func TestOneOutageAtATime(t *testing.T) {
	acts := map[RecoveryKind]bool{RecoveryFailover: true, RecoveryPromotePeer: true, RecoveryRelocate: true, RecoveryFence: true, RecoveryRejoin: true, RecoveryRepoint: true}
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		by := make(map[topology.InstanceID]string)
		for _, f := range Evaluate(topology.Build(in), Table, p) {
			if !f.Actionable() || !acts[f.Recovery] {
				continue
			}
			if other := by[f.Instance]; other != "" {
				t.Errorf("%s: both %s and %s would act\n%s", f.Instance, other, f.Rule, topology.FormatInput(in))
			}
			by[f.Instance] = f.Rule
		}
	})
}

// TestDoubtNeverActs demands that no primary is replaced while a replica has it at the other end, or while the nodes do not agree.
func TestDoubtNeverActs(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		snap := topology.Build(in)
		for _, f := range Evaluate(snap, Table, p) {
			if f.Recovery != RecoveryFailover && f.Recovery != RecoveryPromotePeer && f.Recovery != RecoveryRelocate {
				continue
			}
			sub, _ := SubjectOf(snap, f.Instance, p)
			if f.Rule == AllIntermediateSourceReplicasFailingToConnectOrDead.Name {
				if sub.Replicas.Receiving > 0 {
					t.Errorf("%s on %s although a replica receives", f.Rule, f.Instance)
				}
				continue
			}
			if !sub.Instance.Down || sub.Replicas.Receiving+sub.Replicas.Silent > 0 {
				t.Errorf("%s on %s: down %t, counts %+v", f.Rule, f.Instance, sub.Instance.Down, *sub.Replicas)
			}
		}
	})
}

func TestCountsAddUp(t *testing.T) {
	eachInput(t, func(t *testing.T, in topology.Input, p Policy) {
		snap := topology.Build(in)
		for _, i := range snap.Instances() {
			sub, ok := SubjectOf(snap, i.Instance, p)
			n := *sub.Replicas
			if !ok || n.Receiving+n.Lost+n.Silent+n.Mute != n.Up || n.Up+n.Dead > n.Total || n.Total > len(i.Direct) || n.Idle > n.Up || n.CutOff > n.Idle {
				t.Errorf("%s: %+v", i.Instance, n)
			}
		}
	})
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ scenario, rule, want string }{
		{"DeadPrimary", "DeadPrimary", "db1:3306 does not answer, 2 attempts in a row, for 40s; of its 2 replicas 2 are up, db2:3306, db3:3306 lost it."},
		{"DeadPrimary-also-the-sentinel-fell", "DeadPrimary", "db1:3306 refuses connections, 1 attempt, for 100ms; of its 2 replicas 2 are up, db2:3306, db3:3306 lost it."},
		{"UnreachablePrimary", "UnreachablePrimary", "db1:3306 does not answer, 2 attempts in a row, for 40s; of its 2 replicas 2 are up, db2:3306, db3:3306 still receive."},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			for _, s := range scenarios(t) {
				if s.name != c.scenario {
					continue
				}
				for _, f := range s.evaluate() {
					if f.Rule == c.rule {
						if f.Sentence != c.want {
							t.Errorf("got  %s\nwant %s", f.Sentence, c.want)
						}
						return
					}
				}
			}
			t.Error("not found")
		})
	}
	for _, s := range scenarios(t) {
		for _, f := range s.evaluate() {
			if !strings.HasSuffix(f.Sentence, ".") || strings.Contains(f.Sentence, "%!") || strings.Contains(f.Sentence, "  ") || f.Area == "" && !strings.HasPrefix(f.Sentence, string(f.Instance)) {
				t.Errorf("%s: %q is no sentence about %s", s.name, f.Sentence, f.Subject())
			}
		}
	}
}

func TestFindingIsJSON(t *testing.T) {
	for _, s := range scenarios(t) {
		want := s.evaluate()
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got []Finding
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v: %s", s.name, err, text)
		}
	}
}
