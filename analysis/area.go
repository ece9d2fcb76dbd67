package analysis

import (
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// Area is the whole fleet, one region or one data centre, with the arithmetic of the fleet rules. A cluster lies where its primary does.
//
// Isolation asks how much of what answered this node a moment ago has stopped to. An instance counts as seen where nobody asked to ignore it and it
// answers this node now or is lost. It is lost where it does not answer this node, completed an answer within Policy.Together before it began to fail,
// and no majority of several nodes confirms that it cannot be reached. Lost is the largest group of lost instances that began to fail together: each
// within Policy.Together of the one before. The group does not shrink while time passes: an isolation that lasts stays one. What is cut off are hosts,
// so the majority is one of hosts: a host is seen with any instance on it, and lost when all that are seen there are in the group. One server that
// still answers proves that its host can be reached.
//
// A storm asks how many primaries are down. Fallen is the largest group of them that fell together, in the same sense.
type Area struct {
	Name string // "fleet", "region eu" or "data center eu-1"

	Seen, Lost           int // instances
	SeenHosts, LostHosts int // counted only where most of them can be lost
	LostSince            time.Time

	Clusters    int                   // in which an instance answers or fails that nobody asked to ignore
	Fallen      []topology.InstanceID // primaries
	FallenSince time.Time
}

const fleetName = "fleet"

// Areas returns the subjects of the fleet rules: the fleet, and by name the regions and data centres that lost as many primaries as a storm takes.
func Areas(s *topology.Snapshot, p Policy) []Subject {
	p = p.withDefaults()
	return areas(s, &p)
}

func areas(s *topology.Snapshot, p *Policy) []Subject {
	fleet := &survey{area: &Area{Name: fleetName}}
	fleet.area.Clusters, fleet.area.Seen = s.Answering()
	var parts []*survey
	for _, c := range s.Failing() {
		for _, m := range c.Members {
			fleet.lose(s, m, p)
		}
		if leader := c.Leader(); leader.Down && !leader.Downtimed {
			fleet.fall(s, leader)
			parts = fallIn(parts, "region ", c.Region, s, leader)
			parts = fallIn(parts, "data center ", c.DataCenter, s, leader)
		}
	}
	parts = slices.DeleteFunc(parts, func(a *survey) bool { return len(a.fallen) < min(p.StormAtLeast, p.StormPrimaries+1) })
	slices.SortFunc(parts, func(a, b *survey) int { return strings.Compare(a.area.Name, b.area.Name) })
	subjects := make([]Subject, 0, 1+len(parts))
	for n, a := range append([]*survey{fleet}, parts...) {
		if n > 0 {
			if a.countClusters(s); a.area.Clusters == fleet.area.Clusters {
				continue // it is the fleet under another name
			}
		}
		a.conclude(s, p)
		subjects = append(subjects, Subject{Snapshot: s, Policy: p, Replicas: &noReplicas, Area: a.area})
	}
	return subjects
}

// fallIn notes the fall of a primary in a region or a data centre.
func fallIn(parts []*survey, kind, name string, s *topology.Snapshot, leader *topology.Instance) []*survey {
	if name == "" {
		return parts
	}
	n := slices.IndexFunc(parts, func(a *survey) bool { return a.area.Name == kind+name })
	if n < 0 {
		n = len(parts)
		parts = append(parts, &survey{area: &Area{Name: kind + name}})
	}
	parts[n].fall(s, leader)
	return parts
}

func (a *survey) countClusters(s *topology.Snapshot) {
	region, isRegion := strings.CutPrefix(a.area.Name, "region ")
	center, isCenter := strings.CutPrefix(a.area.Name, "data center ")
	for _, c := range s.Clusters {
		if (isRegion && c.Region == region || isCenter && c.DataCenter == center) && c.Answering+c.Failing > 0 {
			a.area.Clusters++
		}
	}
}

// covers reports whether a cluster lies in the area.
func (a *Area) covers(c *topology.Cluster) bool {
	return a.Name == fleetName || a.Name == "region "+c.Region || a.Name == "data center "+c.DataCenter
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

func (a *survey) lose(s *topology.Snapshot, i *topology.Instance, p *Policy) {
	if !isSeen(s, i, p) || i.Reach.Alive() {
		return
	}
	a.area.Seen++
	if s.Nodes == 1 || !i.Agreed.Unreachable() {
		a.lost = append(a.lost, fall{i.FailingSince, i})
	}
}

// isSeen reports whether an instance counts: it answers, or answered when it began to fail.
func isSeen(s *topology.Snapshot, i *topology.Instance, p *Policy) bool {
	if i.Downtimed {
		return false
	}
	reach, _ := s.Here(i)
	return reach.Alive() || reach.Unreachable() && !i.FailingSince.IsZero() && i.FailingSince.Sub(i.Facts.At) <= p.Together
}

func (a *survey) fall(s *topology.Snapshot, i *topology.Instance) {
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
	// An instance that is not seen hides at most one host, and one that is lost loses at most one.
	if 2*len(lost) > s.Hosts()-(s.Len()-a.area.Seen) {
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
			if !isSeen(s, m, p) {
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
