package topology

import (
	"cmp"
	"fmt"
	"slices"
)

// component is a set of instances that replication links or the ledger hold together, on its way to become a Cluster.
type component struct {
	name    string
	named   bool
	members []*Instance
}

// components groups instances that replication links connect, in either direction. Only the default channel counts: a server that gathers from
// several clusters belongs to one of them, and does not make one of all.
func components(ids []InstanceID, all map[InstanceID]*Instance) []component {
	parent := make(map[InstanceID]InstanceID, len(ids))
	find := func(id InstanceID) InstanceID {
		for parent[id] != id {
			parent[id] = parent[parent[id]]
			id = parent[id]
		}
		return id
	}
	for _, id := range ids {
		parent[id] = id
	}
	for _, id := range ids {
		if source := all[id].Source; source != "" {
			if _, known := parent[source]; known {
				parent[find(id)] = find(source)
			}
		}
	}
	index := make(map[InstanceID]int)
	var groups []component
	for _, id := range ids {
		root := find(id)
		n, ok := index[root]
		if !ok {
			n = len(groups)
			index[root] = n
			groups = append(groups, component{})
		}
		groups[n].members = append(groups[n].members, all[id])
	}
	return groups
}

// name gives every component its stable name and joins those of one name. A name is, in order: the one the ledger keeps for most of the
// members, the alias that the instances themselves give, the root's own name. Two components never share a name by alias alone: a stranger
// with the same alias must not become a member.
func (s *Snapshot) name(groups []component) []component {
	kept := make(map[InstanceID]string)
	for name, c := range s.Intents.Clusters {
		for _, m := range c.Members {
			if old, ok := kept[m]; !ok || name < old {
				kept[m] = name
			}
		}
	}
	// The largest first, so that of two with the same alias the larger has it.
	slices.SortStableFunc(groups, func(a, b component) int { return cmp.Compare(len(b.members), len(a.members)) })
	index := make(map[string]int)
	var named []component
	put := func(g component) {
		if n, ok := index[g.name]; ok && g.named {
			named[n].members = append(named[n].members, g.members...)
			return
		}
		index[g.name] = len(named)
		named = append(named, g)
	}
	var rest []component
	for _, g := range groups {
		if g.name = mostKept(g.members, kept); g.name != "" {
			g.named = true
			put(g)
		} else {
			rest = append(rest, g)
		}
	}
	free := func(name string) bool {
		_, taken := index[name]
		_, known := s.Intents.Clusters[name]
		return !taken && !known
	}
	for _, g := range rest {
		root := chooseRoot(g.members, "")
		g.name = string(root.Instance)
		if alias := aliasOf(root, g.members); alias != "" && free(alias) {
			g.name = alias
		}
		for n := 2; !free(g.name); n++ { // the ledger may call another cluster by the name of this root, which led it once
			g.name = fmt.Sprintf("%s~%d", root.Instance, n)
		}
		put(g)
	}
	return named
}

func mostKept(members []*Instance, kept map[InstanceID]string) string {
	count := make(map[string]int)
	best := ""
	for _, m := range members {
		name, ok := kept[m.Instance]
		if !ok {
			continue
		}
		count[name]++
		if best == "" || count[name] > count[best] || count[name] == count[best] && name < best {
			best = name
		}
	}
	return best
}

func aliasOf(root *Instance, members []*Instance) string {
	if root.Facts.ClusterAlias != "" {
		return root.Facts.ClusterAlias
	}
	for _, m := range members {
		if m.Facts.ClusterAlias != "" {
			return m.Facts.ClusterAlias
		}
	}
	return ""
}

// arrange finds the primary of a component and puts its members in order.
func (s *Snapshot) arrange(g component) *Cluster {
	slices.SortFunc(g.members, func(a, b *Instance) int { return CompareIDs(a.Instance, b.Instance) })
	kept := s.Intents.Clusters[g.name]
	c := &Cluster{Name: g.name, Alias: kept.Alias, Named: g.named, Epoch: kept.Epoch}
	root := chooseRoot(g.members, kept.Primary)
	c.Primary = root.Instance
	if c.Alias == "" {
		c.Alias = aliasOf(root, g.members)
	}
	c.leader, c.Agreed = root, g.named && kept.Primary == root.Instance
	c.slots = g.members
	placed := make(map[InstanceID]bool, len(g.members))
	var place func(i *Instance, depth int)
	place = func(i *Instance, depth int) {
		if placed[i.Instance] {
			return
		}
		placed[i.Instance] = true
		i.Cluster, i.Depth = g.name, depth
		i.Role = role(i, root)
		c.Members = append(c.Members, i)
		for _, r := range i.followers {
			place(r, depth+1)
		}
	}
	place(root, 0)
	for _, m := range g.members {
		if m.Source == "" {
			place(m, 0)
		}
	}
	for _, m := range g.members { // circles that hang from nothing
		place(m, 0)
	}
	c.DataCenter, c.Region = root.Facts.DataCenter, root.Facts.Region
	for _, m := range g.members {
		switch reach, _ := s.Here(m); {
		case m.Downtimed:
		case reach.Alive():
			c.Answering++
		case reach.Unreachable():
			c.Failing++
		}
	}
	return c
}

func role(i, root *Instance) Role {
	switch {
	case inCircle(i):
		return RoleCoPrimary
	case i == root:
		return RolePrimary
	case i.Source == "" && len(i.Direct) > 0:
		return RolePrimary // a second root with a tree of its own
	case i.Source == "":
		return RoleDetached
	case len(i.Direct) > 0:
		return RoleIntermediate
	}
	return RoleReplica
}

// inCircle reports whether following the sources leads back to the instance.
func inCircle(i *Instance) bool {
	at := i
	for range 16 { // longer circles are not co-primaries but accidents
		next := at.source
		if next == nil || next == at {
			return false
		}
		if next == i {
			return true
		}
		at = next
	}
	return false
}

// chooseRoot picks the instance that is meant to take writes. The primary agreed on last stays it while it has replicas, dead or alive, or is up
// and writable; a root with replicas takes its place once neither is so: then somebody else has moved the role. An instance that was deposed is
// chosen only where there is no other.
func chooseRoot(members []*Instance, agreed InstanceID) *Instance {
	var best *Instance
	better := func(a, b *Instance) bool {
		keys := func(i *Instance) [5]int {
			return [5]int{
				truth(!i.Deposed),
				truth(i.Instance == agreed && (len(i.Direct) > 0 || i.Up() && i.Writable())),
				len(i.Direct),
				truth(i.Instance == agreed),
				truth(i.Writable()),
			}
		}
		ka, kb := keys(a), keys(b)
		if c := slices.Compare(ka[:], kb[:]); c != 0 {
			return c > 0
		}
		return CompareIDs(a.Instance, b.Instance) < 0
	}
	pick := func(from func(*Instance) bool) {
		for _, m := range members {
			if from(m) && (best == nil || better(m, best)) {
				best = m
			}
		}
	}
	pick(func(m *Instance) bool { return m.Source == "" || inCircle(m) })
	if best == nil {
		pick(func(*Instance) bool { return true })
	}
	return best
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
