package analysis

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/topology"
)

// story runs Track over what is found second by second. A word is a finding: "lag" needs 2 s to fire, "dead" fires at once; a trailing * is masked.
func story(t *testing.T, seconds ...string) (events []string, last []Incident) {
	t.Helper()
	start := topology.NotationTime
	for n, words := range seconds {
		var found []Finding
		for w := range strings.FieldsSeq(words) {
			name, masked := strings.CutSuffix(w, "*")
			f := Finding{Rule: name, Cluster: "shop", Instance: "db1:3306", Sentence: fmt.Sprintf("second %d", n)}
			if name == "lag" {
				f.For = 2 * time.Second
			}
			if masked {
				f.MaskedBy = "Other"
			}
			found = append(found, f)
		}
		before := slices.Clone(last)
		next, happened := Track(last, found, start.Add(time.Duration(n)*time.Second))
		if !slices.Equal(before, last) {
			t.Error("Track changed what it was given")
		}
		for _, e := range happened {
			events = append(events, fmt.Sprintf("%d %s %s", n, e.Incident.Finding.Rule, e.Kind))
			if !e.At.Equal(start.Add(time.Duration(n) * time.Second)) {
				t.Errorf("event at %s in second %d", e.At, n)
			}
		}
		last = next
	}
	return events, last
}

func TestTrack(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds []string
		want    []string
	}{
		{"nothing", []string{"", ""}, nil},
		{"at once", []string{"dead"}, []string{"0 dead firing"}},
		{"it fires once", []string{"dead", "dead", "dead"}, []string{"0 dead firing"}},
		{"it ends", []string{"dead", ""}, []string{"0 dead firing", "1 dead resolved"}},
		{"it comes back", []string{"dead", "", "dead"}, []string{"0 dead firing", "1 dead resolved", "2 dead firing"}},
		{"it waits", []string{"lag", "lag"}, []string{"0 lag pending"}},
		{"it waits for its time", []string{"lag", "lag", "lag", "lag"}, []string{"0 lag pending", "2 lag firing"}},
		{"it passes before its time", []string{"lag", "", "lag", "lag", "lag"}, []string{"0 lag pending", "2 lag pending", "4 lag firing"}},
		{"masked and unmasked", []string{"dead", "dead*", "dead*", "dead"}, []string{"0 dead firing", "1 dead masked", "3 dead unmasked"}},
		{"masked from the start", []string{"dead*", "dead*", ""}, []string{"0 dead firing", "2 dead resolved"}},
		{"two at a time", []string{"dead lag", "lag", "lag"}, []string{"0 dead firing", "0 lag pending", "1 dead resolved", "2 lag firing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := story(t, c.seconds...); !slices.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestIncidentKeepsItsTimesAndTheNewestFinding(t *testing.T) {
	_, last := story(t, "", "lag", "lag", "lag", "lag")
	if len(last) != 1 {
		t.Fatalf("%d incidents", len(last))
	}
	i, start := last[0], topology.NotationTime
	if i.State != Firing || !i.Found.Equal(start.Add(time.Second)) || !i.Fired.Equal(start.Add(3*time.Second)) || !i.Resolved.IsZero() || i.Finding.Sentence != "second 4" {
		t.Errorf("%+v", i)
	}
}

func TestResolvedEventTellsWhen(t *testing.T) {
	at := topology.NotationTime
	next, _ := Track(nil, []Finding{{Rule: "dead"}}, at)
	next, events := Track(next, nil, at.Add(time.Second))
	if len(next) != 0 || len(events) != 1 || events[0].Incident.State != Resolved || !events[0].Incident.Resolved.Equal(at.Add(time.Second)) {
		t.Errorf("%v %+v", next, events)
	}
}

func TestTrackClusterLeavesOthersAlone(t *testing.T) {
	at := topology.NotationTime
	fleet := Finding{Rule: "Storm", Area: "fleet"}
	shop := Finding{Rule: "Dead", Cluster: "shop", Instance: "db1:3306"}
	blog := Finding{Rule: "Dead", Cluster: "blog", Instance: "db2:3306"}
	all, _ := Track(nil, []Finding{fleet, shop, blog}, at)
	next, events := TrackCluster(all, "shop", nil, at.Add(time.Second))
	if len(events) != 1 || events[0].Kind != EventResolved || events[0].Incident.Finding.Cluster != "shop" {
		t.Errorf("%+v", events)
	}
	var left []string
	for _, i := range next {
		left = append(left, i.Finding.Rule+i.Finding.Cluster)
	}
	if !slices.Equal(left, []string{"Storm", "Deadblog"}) {
		t.Errorf("left: %v", left)
	}
	if _, events := TrackCluster(next, "shop", []Finding{shop, blog}, at.Add(2*time.Second)); len(events) != 1 || events[0].Incident.Finding != shop {
		t.Errorf("a finding of another cluster counts: %+v", events)
	}
}

// TestTrackOfTheSameIncidents demands that the order in which things are found means nothing.
func TestTrackDoesNotDependOnOrder(t *testing.T) {
	at := topology.NotationTime
	a, b := Finding{Rule: "A", Cluster: "shop", Instance: "db2:3306"}, Finding{Rule: "B", Cluster: "shop", Instance: "db10:3306"}
	one, _ := Track(nil, []Finding{a, b}, at)
	two, _ := Track(nil, []Finding{b, a}, at)
	if !slices.Equal(one, two) {
		t.Errorf("%v\n%v", one, two)
	}
}
