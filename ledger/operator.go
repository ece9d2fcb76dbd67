package ledger

import "time"

// PauseAutomation stops automatic recoveries: of the fleet when nothing is named, of a cluster, of a rule, or of a rule in a cluster.
type PauseAutomation struct {
	Cluster string    `json:"cluster,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Until   time.Time `json:"until,omitzero"` // zero: until resumed
}

func (PauseAutomation) kind() string { return "pause" }

func (b PauseAutomation) check(e Entry) error {
	return first(mayName("cluster", b.Cluster), mayName("rule", b.Rule), mayAfter("until", b.Until, e.At), isReason(e.Reason))
}

func pause(s State, e Entry, b PauseAutomation) (State, error) {
	p := Pause{Cluster: b.Cluster, Rule: b.Rule, By: e.By, Reason: e.Reason, At: e.At, Until: b.Until}
	s.Pauses = with(s.Pauses, p.Scope(), p)
	return s, nil
}

// ResumeAutomation ends the pause of exactly the scope it names.
type ResumeAutomation struct {
	Cluster string `json:"cluster,omitempty"`
	Rule    string `json:"rule,omitempty"`
}

func (ResumeAutomation) kind() string { return "resume" }

func (b ResumeAutomation) check(Entry) error {
	return first(mayName("cluster", b.Cluster), mayName("rule", b.Rule))
}

func resume(s State, _ Entry, b ResumeAutomation) (State, error) {
	key := scope("cluster", b.Cluster, "rule", b.Rule)
	if _, ok := s.Pauses[key]; !ok {
		return s, ErrNotFound{What: "pause of", Name: key}
	}
	s.Pauses = remove(s.Pauses, key)
	return s, nil
}

// BeginDowntime has the findings of an instance ignored. A default for a missing end is the caller's to choose and to tell.
type BeginDowntime struct {
	Instance string    `json:"instance"`
	Begin    time.Time `json:"begin,omitzero"` // zero: now
	End      time.Time `json:"end"`
}

func (BeginDowntime) kind() string { return "begin_downtime" }

func (b BeginDowntime) begin(e Entry) time.Time {
	if b.Begin.IsZero() {
		return e.At
	}
	return b.Begin
}

func (b BeginDowntime) check(e Entry) error {
	return first(isName("instance", b.Instance), mayTime("begin", b.Begin),
		isAfter("end", b.End, b.begin(e)), isAfter("end", b.End, e.At), isReason(e.Reason))
}

func beginDowntime(s State, e Entry, b BeginDowntime) (State, error) {
	s.Downtimes = with(s.Downtimes, b.Instance, Downtime{Owner: e.By, Reason: e.Reason, At: e.At, Begin: b.begin(e), End: b.End})
	return s, nil
}

// EndDowntime has the findings of an instance heeded again.
type EndDowntime struct {
	Instance string `json:"instance"`
}

func (EndDowntime) kind() string { return "end_downtime" }

func (b EndDowntime) check(Entry) error { return isName("instance", b.Instance) }

func endDowntime(s State, _ Entry, b EndDowntime) (State, error) {
	if _, ok := s.Downtimes[b.Instance]; !ok {
		return s, ErrNotFound{What: "downtime of", Name: b.Instance}
	}
	s.Downtimes = remove(s.Downtimes, b.Instance)
	return s, nil
}

// BeginMaintenance reserves an instance or a cluster. It is refused while somebody else holds it; its owner may prolong it.
type BeginMaintenance struct {
	Instance string    `json:"instance,omitempty"`
	Cluster  string    `json:"cluster,omitempty"`
	Until    time.Time `json:"until"`
}

func (BeginMaintenance) kind() string { return "begin_maintenance" }

func (b BeginMaintenance) check(e Entry) error {
	return first(isOneSet("instance", b.Instance, "cluster", b.Cluster), mayName("instance", b.Instance), mayName("cluster", b.Cluster),
		isAfter("until", b.Until, e.At), isReason(e.Reason))
}

func beginMaintenance(s State, e Entry, b BeginMaintenance) (State, error) {
	m := Maintenance{Instance: b.Instance, Cluster: b.Cluster, Owner: e.By, Reason: e.Reason, At: e.At, Until: b.Until}
	if held, ok := s.Maintenance[m.Scope()]; ok && held.Owner != e.By {
		return s, ErrHeld{Maintenance: held}
	}
	s.Maintenance = with(s.Maintenance, m.Scope(), m)
	return s, nil
}

// EndMaintenance ends a maintenance, whoever holds it: an owner who went home must not block an incident.
type EndMaintenance struct {
	Instance string `json:"instance,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
}

func (EndMaintenance) kind() string { return "end_maintenance" }

func (b EndMaintenance) check(Entry) error {
	return first(isOneSet("instance", b.Instance, "cluster", b.Cluster), mayName("instance", b.Instance), mayName("cluster", b.Cluster))
}

func endMaintenance(s State, _ Entry, b EndMaintenance) (State, error) {
	key := scope("instance", b.Instance, "cluster", b.Cluster)
	if _, ok := s.Maintenance[key]; !ok {
		return s, ErrNotFound{What: "maintenance of", Name: key}
	}
	s.Maintenance = remove(s.Maintenance, key)
	return s, nil
}

// SetPromotionRule says how welcome an instance is as a primary. No rule takes back what operators said.
type SetPromotionRule struct {
	Instance string    `json:"instance"`
	Rule     string    `json:"rule,omitempty"`
	Until    time.Time `json:"until,omitzero"`
}

func (SetPromotionRule) kind() string { return "set_promotion_rule" }

func (b SetPromotionRule) check(e Entry) error {
	return first(isName("instance", b.Instance), isOneOf("rule", b.Rule, Prefer, Neutral, PreferNot, MustNot, ""), mayAfter("until", b.Until, e.At))
}

func setPromotionRule(s State, e Entry, b SetPromotionRule) (State, error) {
	if b.Rule == "" {
		s.PromotionRules = remove(s.PromotionRules, b.Instance)
		return s, nil
	}
	s.PromotionRules = with(s.PromotionRules, b.Instance, PromotionRule{Rule: b.Rule, By: e.By, Reason: e.Reason, At: e.At, Until: b.Until})
	return s, nil
}

// SetAutonomy says how far automation may go: in a cluster or, when none is named, in the fleet; for a kind of recovery
// or, when none is named, for all. No level takes back what operators said.
type SetAutonomy struct {
	Cluster string `json:"cluster,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Level   string `json:"level,omitempty"`
}

func (SetAutonomy) kind() string { return "set_autonomy" }

func (b SetAutonomy) check(Entry) error {
	return first(mayName("cluster", b.Cluster), mayName("kind", b.Kind), isOneOf("level", b.Level, Observe, Recommend, Approve, Auto, ""))
}

func setAutonomy(s State, e Entry, b SetAutonomy) (State, error) {
	key := scope("cluster", b.Cluster, "kind", b.Kind)
	if b.Level == "" {
		s.Autonomy = remove(s.Autonomy, key)
		return s, nil
	}
	s.Autonomy = with(s.Autonomy, key, Autonomy{Cluster: b.Cluster, Kind: b.Kind, Level: b.Level, By: e.By, Reason: e.Reason, At: e.At})
	return s, nil
}

// RememberKey claims an idempotency key until a time. A claimed key without a verdict takes one later; anything else
// that names a known key is refused with ErrKeyKnown, so of any number of equal requests one goes ahead.
type RememberKey struct {
	Key     string    `json:"key"`
	Until   time.Time `json:"until"`
	Verdict string    `json:"verdict,omitempty"`
}

func (RememberKey) kind() string { return "remember_key" }

func (b RememberKey) check(e Entry) error {
	return first(isLabel("key", b.Key), isAfter("until", b.Until, e.At), isText("verdict", b.Verdict))
}

// maxKeys bounds what a flood of requests can write; the keys that end first give way.
const maxKeys = 10_000

func rememberKey(s State, e Entry, b RememberKey) (State, error) {
	k := Key{At: e.At, Until: b.Until, Verdict: b.Verdict}
	if known, ok := s.Keys[b.Key]; ok {
		if known.Verdict != "" || b.Verdict == "" {
			return s, ErrKeyKnown{Name: b.Key, Key: known}
		}
		k.At = known.At
	}
	if len(s.Keys) >= maxKeys {
		s.Keys = remove(s.Keys, firstToEnd(s.Keys))
	}
	s.Keys = with(s.Keys, b.Key, k)
	return s, nil
}

func firstToEnd(keys map[string]Key) string {
	found := ""
	for name, k := range keys {
		if c := k.Until.Compare(keys[found].Until); found == "" || c < 0 || c == 0 && name < found {
			found = name
		}
	}
	return found
}
