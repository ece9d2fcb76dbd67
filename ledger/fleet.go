package ledger

import (
	"fmt"
	"slices"
	"time"
)

// SetTag gives an instance a tag.
type SetTag struct {
	Instance string `json:"instance"`
	Tag      string `json:"tag"`
	Value    string `json:"value,omitempty"`
}

func (SetTag) kind() string { return "tag" }

func (b SetTag) check(Entry) error {
	return first(isName("instance", b.Instance), isName("tag", b.Tag), isText("value", b.Value))
}

func setTag(s State, _ Entry, b SetTag) (State, error) {
	s.Tags = with(s.Tags, b.Instance, Tags(with(s.Tags[b.Instance], b.Tag, b.Value)))
	return s, nil
}

// RemoveTag takes a tag from an instance.
type RemoveTag struct {
	Instance string `json:"instance"`
	Tag      string `json:"tag"`
}

func (RemoveTag) kind() string { return "untag" }

func (b RemoveTag) check(Entry) error {
	return first(isName("instance", b.Instance), isName("tag", b.Tag))
}

func removeTag(s State, _ Entry, b RemoveTag) (State, error) {
	if _, ok := s.Tags[b.Instance][b.Tag]; !ok {
		return s, ErrNotFound{What: "tag " + b.Tag + " of", Name: b.Instance}
	}
	if tags := remove(s.Tags[b.Instance], b.Tag); tags != nil {
		s.Tags = with(s.Tags, b.Instance, Tags(tags))
	} else {
		s.Tags = remove(s.Tags, b.Instance)
	}
	return s, nil
}

// AddSeed has an instance watched, and discovered again if it was forgotten.
type AddSeed struct {
	Instance string `json:"instance"`
}

func (AddSeed) kind() string { return "add_seed" }

func (b AddSeed) check(Entry) error { return isName("instance", b.Instance) }

func addSeed(s State, e Entry, b AddSeed) (State, error) {
	s.Forgotten = remove(s.Forgotten, b.Instance)
	if _, ok := s.Seeds[b.Instance]; !ok {
		s.Seeds = with(s.Seeds, b.Instance, Seed{By: e.By, At: e.At})
	}
	return s, nil
}

// Forget has an instance no longer watched, nor discovered before a time. What is said against it stays: a deposed
// primary that comes back is as dangerous as before.
type Forget struct {
	Instance string    `json:"instance"`
	Until    time.Time `json:"until"`
}

func (Forget) kind() string { return "forget" }

func (b Forget) check(e Entry) error {
	return first(isName("instance", b.Instance), isAfter("until", b.Until, e.At))
}

func forget(s State, e Entry, b Forget) (State, error) {
	s.Seeds = remove(s.Seeds, b.Instance)
	s.Tags = remove(s.Tags, b.Instance)
	s.Downtimes = remove(s.Downtimes, b.Instance)
	s.PromotionRules = remove(s.PromotionRules, b.Instance)
	s.Forgotten = with(s.Forgotten, b.Instance, Forgotten{By: e.By, At: e.At, Until: b.Until})
	return s, nil
}

// NameCluster gives a cluster its identity, or changes what is known of it. An empty alias or no members leave what is
// there; a member belongs to the cluster that claimed it last.
type NameCluster struct {
	ID      string   `json:"id"`
	Alias   string   `json:"alias,omitempty"`
	Members []string `json:"members,omitempty"`
}

func (NameCluster) kind() string { return "name_cluster" }

func (b NameCluster) check(Entry) error {
	return first(isName("id", b.ID), mayName("alias", b.Alias), areNames("members", b.Members))
}

func nameCluster(s State, e Entry, b NameCluster) (State, error) {
	for _, other := range s.Clusters {
		if other.ID != b.ID && (other.Alias == b.ID || b.Alias != "" && (other.Alias == b.Alias || other.ID == b.Alias)) {
			return s, ErrConflict{Problem: fmt.Sprintf("cluster %s has this name already", other.ID)}
		}
	}
	c, ok := s.Clusters[b.ID]
	if !ok {
		c = Cluster{ID: b.ID, Since: e.At}
	}
	if b.Alias != "" {
		c.Alias = b.Alias
	}
	clusters := with(s.Clusters, b.ID, c)
	if len(b.Members) > 0 {
		c.Members = slices.Clone(b.Members)
		slices.Sort(c.Members)
		c.Members = slices.Compact(c.Members)
		clusters[b.ID] = c
		disown(clusters, c)
	}
	s.Clusters = clusters
	return s, nil
}

// disown takes the members of a cluster from all others. The map is the reducer's own.
func disown(clusters map[string]Cluster, owner Cluster) {
	for id, other := range clusters {
		taken := func(m string) bool { _, found := slices.BinarySearch(owner.Members, m); return found }
		if id == owner.ID || !slices.ContainsFunc(other.Members, taken) {
			continue
		}
		if other.Members = slices.DeleteFunc(slices.Clone(other.Members), taken); len(other.Members) == 0 {
			other.Members = nil
		}
		clusters[id] = other
	}
}

// ForgetCluster removes a cluster with all that was said of it by name. Its closed recoveries stay in the history.
type ForgetCluster struct {
	ID string `json:"id"`
}

func (ForgetCluster) kind() string { return "forget_cluster" }

func (b ForgetCluster) check(Entry) error { return isName("id", b.ID) }

func forgetCluster(s State, _ Entry, b ForgetCluster) (State, error) {
	_, named := s.Clusters[b.ID]
	_, led := s.Primaries[b.ID]
	if !named && !led {
		return s, ErrNotFound{What: "cluster", Name: b.ID}
	}
	if open := s.OpenRecovery(b.ID); open != nil {
		return s, ErrRecoveryOpen{Cluster: b.ID, ID: open.ID}
	}
	s.Clusters = remove(s.Clusters, b.ID)
	s.Primaries = remove(s.Primaries, b.ID)
	s.Deposed = without(s.Deposed, func(_ string, d Deposed) bool { return d.Cluster == b.ID })
	s.Pauses = without(s.Pauses, func(_ string, p Pause) bool { return p.Cluster == b.ID })
	s.Autonomy = without(s.Autonomy, func(_ string, a Autonomy) bool { return a.Cluster == b.ID })
	s.Maintenance = without(s.Maintenance, func(_ string, m Maintenance) bool { return m.Cluster == b.ID })
	return s, nil
}

// AgreePrimary records who the primary of a cluster is. Epoch is the one the proposer judged by: when it has changed,
// the judgement is stale and the entry is refused. Naming another instance begins the next epoch; naming the same one
// only updates its position. Deposes, where set, deposes the old primary in the same entry.
type AgreePrimary struct {
	Cluster    string `json:"cluster"`
	Instance   string `json:"instance"`
	ServerUUID string `json:"server_uuid,omitempty"`
	Epoch      uint64 `json:"epoch,omitempty"`
	Position   string `json:"position,omitempty"`
	Recovery   string `json:"recovery,omitempty"`
	Deposes    string `json:"deposes,omitempty"`
}

func (AgreePrimary) kind() string { return "agree_primary" }

func (b AgreePrimary) check(Entry) error {
	if b.Deposes != "" && b.Deposes == b.Instance {
		return ErrInvalid{Field: "deposes", Problem: "is the instance that becomes primary"}
	}
	return first(isName("cluster", b.Cluster), isName("instance", b.Instance), mayName("server_uuid", b.ServerUUID),
		isGTIDs("position", b.Position), mayName("recovery", b.Recovery), mayName("deposes", b.Deposes))
}

func agreePrimary(s State, e Entry, b AgreePrimary) (State, error) {
	if d, ok := s.Deposed[b.Instance]; ok {
		return s, ErrConflict{Problem: fmt.Sprintf("%s was deposed as primary of %s at %s; release it first",
			b.Instance, d.Cluster, d.Since.UTC().Format(time.RFC3339))}
	}
	old, known := s.Primaries[b.Cluster]
	if old.Epoch != b.Epoch {
		return s, ErrStale{What: "the promotion epoch of cluster " + b.Cluster, Seen: b.Epoch, Now: old.Epoch}
	}
	next := old
	if !known || old.Instance != b.Instance {
		next = Primary{Instance: b.Instance, Epoch: old.Epoch, Since: e.At, Recovery: b.Recovery}
	}
	if known && old.Instance != b.Instance {
		next.Epoch++
	}
	if b.ServerUUID != "" {
		next.ServerUUID = b.ServerUUID
	}
	if b.Position != "" {
		next.Position, next.PositionAt = b.Position, e.At
	}
	if b.Deposes != "" {
		s = deposeInstance(s, e, Depose{Instance: b.Deposes, Cluster: b.Cluster, Recovery: b.Recovery})
	}
	s.Primaries = with(s.Primaries, b.Cluster, next)
	return s, nil
}

// Depose declares that an instance is no longer primary, before or without agreeing on another one.
type Depose struct {
	Instance   string `json:"instance"`
	Cluster    string `json:"cluster"`
	ServerUUID string `json:"server_uuid,omitempty"`
	Recovery   string `json:"recovery,omitempty"`
}

func (Depose) kind() string { return "depose" }

func (b Depose) check(Entry) error {
	return first(isName("instance", b.Instance), isName("cluster", b.Cluster),
		mayName("server_uuid", b.ServerUUID), mayName("recovery", b.Recovery))
}

func depose(s State, e Entry, b Depose) (State, error) { return deposeInstance(s, e, b), nil }

// deposeInstance keeps since when an instance is deposed, and forgets that it was fenced: it may have been opened since.
func deposeInstance(s State, e Entry, b Depose) State {
	d := Deposed{ServerUUID: b.ServerUUID, Cluster: b.Cluster, Since: e.At, Recovery: b.Recovery}
	if p := s.Primaries[b.Cluster]; d.ServerUUID == "" && p.Instance == b.Instance {
		d.ServerUUID = p.ServerUUID
	}
	if before, ok := s.Deposed[b.Instance]; ok && before.Cluster == b.Cluster {
		d.Since = before.Since
	}
	s.Deposed = with(s.Deposed, b.Instance, d)
	return s
}

// MarkFenced notes that a deposed instance was seen to refuse writes.
type MarkFenced struct {
	Instance string `json:"instance"`
}

func (MarkFenced) kind() string { return "fenced" }

func (b MarkFenced) check(Entry) error { return isName("instance", b.Instance) }

func markFenced(s State, e Entry, b MarkFenced) (State, error) {
	d, ok := s.Deposed[b.Instance]
	if !ok {
		return s, ErrNotFound{What: "deposed instance", Name: b.Instance}
	}
	d.FencedAt = e.At
	s.Deposed = with(s.Deposed, b.Instance, d)
	return s, nil
}

// SetQuarantine keeps an instance out of replication; the reason is the entry's.
type SetQuarantine struct {
	Instance string `json:"instance"`
	Cluster  string `json:"cluster,omitempty"`
	GTIDs    string `json:"gtids,omitempty"`
}

func (SetQuarantine) kind() string { return "quarantine" }

func (b SetQuarantine) check(e Entry) error {
	return first(isName("instance", b.Instance), mayName("cluster", b.Cluster), isGTIDs("gtids", b.GTIDs), isReason(e.Reason))
}

func quarantine(s State, e Entry, b SetQuarantine) (State, error) {
	s.Quarantines = with(s.Quarantines, b.Instance, Quarantine{Reason: e.Reason, By: e.By, Cluster: b.Cluster, GTIDs: b.GTIDs, Since: e.At})
	return s, nil
}

// Release ends the quarantine of an instance and takes back that it was deposed.
type Release struct {
	Instance string `json:"instance"`
}

func (Release) kind() string { return "release" }

func (b Release) check(Entry) error { return isName("instance", b.Instance) }

func release(s State, _ Entry, b Release) (State, error) {
	_, deposed := s.Deposed[b.Instance]
	_, quarantined := s.Quarantines[b.Instance]
	if !deposed && !quarantined {
		return s, ErrNotFound{What: "deposed or quarantined instance", Name: b.Instance}
	}
	s.Deposed = remove(s.Deposed, b.Instance)
	s.Quarantines = remove(s.Quarantines, b.Instance)
	return s, nil
}
