package analysis

import (
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// Area is the whole fleet, one region or one data centre, with the arithmetic of the fleet rules. A cluster lies where its primary does.
//
// Isolation asks how much of what answered this node a moment ago has stopped to. An instance counts where the newest attempt of this node tells
// anything and nobody asked to ignore it: as Seen when it answers now or is lost, as lost when it does not answer now, did within Policy.Together
// before it began to fail, and no majority of several nodes confirms it. Lost is the largest group of lost instances that began to fail together: each
// within Policy.Together of the one before. It does not shrink while time passes: an isolation that lasts stays one. A host is lost with the last
// instance on it: one server that still answers proves that its host can be reached.
//
// A storm asks how many primaries are down. Fallen is the largest group of them that fell together, in the same sense.
type Area struct {
	Name string // "fleet", "region eu" or "data center eu-1"

	Seen, Lost           int // instances
	SeenHosts, LostHosts int
	LostSince            time.Time // first of the lost

	Primaries   int // known, and nobody asked to ignore them
	Fallen      []topology.InstanceID
	FallenSince time.Time
}

const fleetName = "fleet"

// Areas returns the subjects of the fleet rules: the fleet, then its regions and data centres by name.
func Areas(s *topology.Snapshot, p Policy) []Subject {
	p = p.withDefaults()
	return areas(s, &p)
}

func areas(s *topology.Snapshot, p *Policy) []Subject {
	index := map[string]*survey{}
	var order []*survey
	at := func(name string) *survey {
		a := index[name]
		if a == nil {
			a = &survey{area: &Area{Name: name}}
			index[name] = a
			order = append(order, a)
		}
		return a
	}
	fleet := at(fleetName)
	var dc, region *survey
	var dcName, regionName string
	for _, c := range s.Clusters {
		primary := s.Instance(c.Primary)
		if primary == nil {
			continue
		}
		for _, m := range c.Members {
			fleet.see(s, m, p)
		}
		if primary.Downtimed || primary.Attempted.IsZero() {
			continue
		}
		fleet.primary(s, primary)
		// Neighbours in the table mostly lie in one place: the maps are asked only when that changes.
		if f := &primary.Facts; f.Region != "" {
			if region == nil || regionName != f.Region {
				region, regionName = at("region "+f.Region), f.Region
			}
			region.primary(s, primary)
		}
		if f := &primary.Facts; f.DataCenter != "" {
			if dc == nil || dcName != f.DataCenter {
				dc, dcName = at("data center "+f.DataCenter), f.DataCenter
			}
			dc.primary(s, primary)
		}
	}
	slices.SortFunc(order[1:], func(a, b *survey) int { return strings.Compare(a.area.Name, b.area.Name) })
	subjects := make([]Subject, 0, len(order))
	for n, a := range order {
		if n > 0 && a.area.Primaries == fleet.area.Primaries {
			continue // it is the fleet under another name
		}
		a.conclude(s, p)
		subjects = append(subjects, Subject{Snapshot: s, Policy: p, Replicas: &noReplicas, Area: a.area})
	}
	return subjects
}

// covers reports whether a cluster lies in the area.
func (a *Area) covers(s *topology.Snapshot, c *topology.Cluster) bool {
	if a.Name == fleetName {
		return true
	}
	primary := s.Instance(c.Primary)
	return primary != nil && (a.Name == "region "+primary.Facts.Region || a.Name == "data center "+primary.Facts.DataCenter)
}

// survey is an Area on its way.
type survey struct {
	area   *Area
	lost   []fall
	fallen []fall
}

// fall is an instance and when it began to fail.
type fall struct {
	at       time.Time
	instance *topology.Instance
}

func (a *survey) see(s *topology.Snapshot, i *topology.Instance, p *Policy) {
	if i.Downtimed {
		return
	}
	reach, _ := s.Here(i)
	switch {
	case reach.Alive():
		a.area.Seen++
	case reach.Unreachable() && !i.FailingSince.IsZero() && i.FailingSince.Sub(i.Facts.At) <= p.Together:
		a.area.Seen++
		if s.Nodes == 1 || !i.Agreed.Unreachable() {
			a.lost = append(a.lost, fall{i.FailingSince, i})
		}
	}
}

func (a *survey) primary(s *topology.Snapshot, i *topology.Instance) {
	a.area.Primaries++
	if !i.Down {
		return
	}
	at := i.FailingSince
	if at.IsZero() { // only the other nodes have seen it fall
		at = s.At
	}
	a.fallen = append(a.fallen, fall{at, i})
}

func (a *survey) conclude(s *topology.Snapshot, p *Policy) {
	lost := together(a.lost, p.Together)
	a.area.Lost = len(lost)
	if len(lost) > 0 {
		a.area.LostSince = lost[0].at
	}
	if 2*len(lost) > a.area.Seen { // hosts are worth counting only where they can matter
		a.countHosts(s, lost, p)
	}
	fallen := together(a.fallen, p.Together)
	for _, f := range fallen {
		a.area.Fallen = append(a.area.Fallen, f.instance.Instance)
	}
	if len(fallen) > 0 {
		a.area.FallenSince = fallen[0].at
	}
}

// together returns the largest group of falls of which each began within the window of the one before; of equal ones the newest.
func together(falls []fall, window time.Duration) []fall {
	slices.SortFunc(falls, func(a, b fall) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return topology.CompareIDs(a.instance.Instance, b.instance.Instance)
	})
	var best []fall
	for from := 0; from < len(falls); {
		to := from + 1
		for to < len(falls) && falls[to].at.Sub(falls[to-1].at) <= window {
			to++
		}
		if to-from >= len(best) {
			best = falls[from:to]
		}
		from = to
	}
	return best
}

// countHosts counts the hosts of the instances that count, and those of them on which none is left that answers.
func (a *survey) countHosts(s *topology.Snapshot, lost []fall, p *Policy) {
	isLost := make(map[topology.InstanceID]bool, len(lost))
	for _, f := range lost {
		isLost[f.instance.Instance] = true
	}
	reachable := make(map[string]bool) // by host: some instance on it is not lost
	for _, c := range s.Clusters {
		for _, m := range c.Members {
			probe := survey{area: &Area{}}
			if probe.see(s, m, p); probe.area.Seen == 0 {
				continue
			}
			host := m.Instance.Host()
			reachable[host] = reachable[host] || !isLost[m.Instance]
		}
	}
	a.area.SeenHosts = len(reachable)
	for _, r := range reachable {
		a.area.LostHosts += truth(!r)
	}
}
