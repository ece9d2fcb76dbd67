package topology

import (
	"errors"
	"slices"
	"time"
)

// somebody is the owner of what the notation does not say who asked for.
const somebody = "somebody"

// wishWords are what people and the ledger want of an instance.
var wishWords = []phrase[*server]{
	codecWord[*server, PromotionRule]("promotion", promotionNames, func(s *server) *PromotionRule { return &s.promotion }),
	holdWord("downtime", func(s *server) **Hold { return &s.downtime }),
	holdWord("maintenance", func(s *server) **Hold { return &s.maintenance }),
	{
		key: "deposed", bare: true,
		show: func(s *server) (string, bool) {
			if s.deposed == nil {
				return "", false
			}
			return bareZero(showAge(s.at, s.deposed.Since)), true
		},
		read: func(s *server, v string) error {
			since, err := readAge(s.at, orZero(v))
			s.deposed = &Deposed{Cluster: s.heading, Since: since}
			return err
		},
	},
	{
		key: "deposed_from",
		show: func(s *server) (string, bool) {
			if s.deposed == nil {
				return "", false
			}
			return orNone(s.deposed.Cluster), true
		},
		read: func(s *server, v string) error {
			if s.deposed == nil {
				return errors.New("it is not deposed: say deposed too")
			}
			s.deposed.Cluster = noneIsEmpty(v)
			return nil
		},
	},
	{
		values: []string{"fenced"},
		show:   func(s *server) (string, bool) { return "fenced", s.deposed != nil && s.deposed.Fenced },
		read: func(s *server, _ string) error {
			if s.deposed == nil {
				return errors.New("it is not deposed: say deposed too")
			}
			s.deposed.Fenced = true
			return nil
		},
	},
	{
		key: "quarantined", bare: true,
		show: func(s *server) (string, bool) {
			if s.quarantined == nil {
				return "", false
			}
			return s.quarantined.Reason, true
		},
		read: func(s *server, v string) error {
			s.quarantined = &Quarantine{Reason: v, Since: s.at}
			return nil
		},
	},
	{
		key: "quarantined_gtids",
		show: func(s *server) (string, bool) {
			if s.quarantined == nil || s.quarantined.GTIDs.IsEmpty() {
				return "", false
			}
			return shortUUIDs(s.quarantined.GTIDs.String()), true
		},
		read: func(s *server, v string) (err error) {
			if s.quarantined == nil {
				return errors.New("it is not quarantined: say quarantined too")
			}
			s.quarantined.GTIDs, err = ParseGTIDSet(longUUIDs(v))
			return err
		},
	},
}

// bareZero and orZero let a word stand alone for "just now".
func bareZero(age string) string {
	if age == "0s" {
		return ""
	}
	return age
}

func orZero(age string) string {
	if age == "" {
		return "0s"
	}
	return age
}

// holdWord is a downtime or a maintenance of an instance: alone without an end, or with the time that is left.
func holdWord(key string, at func(s *server) **Hold) phrase[*server] {
	return phrase[*server]{
		key: key, bare: true,
		show: func(s *server) (string, bool) {
			h := *at(s)
			switch {
			case h == nil:
				return "", false
			case h.Until.IsZero():
				return "", true
			}
			return showDuration(h.Until.Sub(s.at)), true
		},
		read: func(s *server, v string) error {
			h := &Hold{Owner: somebody, Since: s.at}
			*at(s) = h
			if v == "" {
				return nil
			}
			d, err := readDuration(v)
			h.Until = s.at.Add(d)
			return err
		},
	}
}

// link is one channel of a line.
type link struct {
	of *server
	c  *Channel
}

// linkWords are the words of a channel.
var linkWords = []phrase[*link]{
	idWord("source", func(l *link) *InstanceID { return &l.c.Source }),
	uuidWord("source_uuid", func(l *link) *string { return &l.c.SourceUUID }),
	codecWord[*link, Receiver]("receiver", receiverNames, func(l *link) *Receiver { return &l.c.Receiver }).
		or(func(l *link) { l.c.Receiver = ReceiverConnected }),
	numberWord("receiver_errno", func(l *link) *int { return &l.c.ReceiverErrno }),
	textWord("receiver_error", func(l *link) *string { return &l.c.ReceiverError }),
	ageWord("receiver_since", linkNow, func(l *link) *time.Time { return &l.c.ReceiverSince }).or(func(l *link) {
		switch seen := l.of.o.Facts.At; l.c.Receiver {
		case ReceiverConnected:
			l.c.ReceiverSince = seen.Add(-time.Hour)
		case ReceiverConnecting, ReceiverStopped:
			l.c.ReceiverSince = seen.Add(-3 * time.Second)
		case ReceiverUnknown: // nor is it known since when
		}
	}),
	ageWord("heard", linkNow, func(l *link) *time.Time { return &l.c.HeardAt }).or(func(l *link) {
		if l.c.HeardAt = l.c.ReceiverSince; l.c.Receiver == ReceiverConnected {
			l.c.HeardAt = l.of.o.Facts.At
		}
	}),
	codecWord[*link, Applier]("applier", applierNames, func(l *link) *Applier { return &l.c.Applier }).
		or(func(l *link) { l.c.Applier = ApplierRunning }),
	numberWord("applier_errno", func(l *link) *int { return &l.c.ApplierErrno }),
	textWord("applier_error", func(l *link) *string { return &l.c.ApplierError }),
	flagWord("auto_position", "no_auto_position", func(l *link) *bool { return &l.c.AutoPosition }).
		or(func(l *link) { l.c.AutoPosition = l.of.o.Facts.GTID }),
	gtidWord("retrieved", func(l *link) *GTIDSet { return &l.c.Retrieved }),
	placeWord("read", func(l *link) *Coordinates { return &l.c.Read }),
	placeWord("applied", func(l *link) *Coordinates { return &l.c.Applied }),
	{
		key:    "lag",
		preset: func(l *link) { l.c.LagKnown = l.c.Receiver == ReceiverConnected && l.c.Applier == ApplierRunning },
		show: func(l *link) (string, bool) {
			if !l.c.LagKnown {
				return "unknown", true
			}
			return showDuration(l.c.Lag), true
		},
		read: func(l *link, v string) (err error) {
			if l.c.Lag, l.c.LagKnown = 0, v != "unknown"; l.c.LagKnown {
				l.c.Lag, err = readDuration(v)
			}
			return err
		},
	},
	durationWord("delay", func(l *link) *time.Duration { return &l.c.Delay }),
	flagWord("filtered", "unfiltered", func(l *link) *bool { return &l.c.Filtered }),
	durationWord("heartbeat", func(l *link) *time.Duration { return &l.c.Heartbeat }),
	numberWord("beats", func(l *link) *uint64 { return &l.c.Beats }),
}

func linkNow(l *link) time.Time { return l.of.at }

// The lines that are not instances.

// setup is what the input says of Baton itself. Defaults are not kept, so that they may change.
type setup struct {
	nodes    int
	patience Patience
}

var setupWords = []phrase[*setup]{
	leaveDefault(numberWord("nodes", func(s *setup) *int { return &s.nodes }), func(s *setup) bool { return s.nodes <= 1 }, func(s *setup) { s.nodes = 0 }),
	leaveDefault(numberWord("down_after", func(s *setup) *int { return &s.patience.DownAfter }),
		func(s *setup) bool { return s.patience.DownAfter == DefaultPatience().DownAfter }, func(s *setup) { s.patience.DownAfter = 0 }),
	patienceWord("stale_after", func(p *Patience) *time.Duration { return &p.StaleAfter }),
	patienceWord("fresh_for", func(p *Patience) *time.Duration { return &p.FreshFor }),
	patienceWord("lost_after", func(p *Patience) *time.Duration { return &p.LostAfter }),
	patienceWord("slack", func(p *Patience) *time.Duration { return &p.Slack }),
	patienceWord("settle", func(p *Patience) *time.Duration { return &p.Settle }),
}

func patienceWord(key string, at func(*Patience) *time.Duration) phrase[*setup] {
	return leaveDefault(durationWord(key, func(s *setup) *time.Duration { return at(&s.patience) }),
		func(s *setup) bool {
			d := DefaultPatience()
			return *at(&s.patience) == *at(&d)
		}, func(s *setup) { *at(&s.patience) = 0 })
}

// leaveDefault makes a word that says the default say nothing.
func leaveDefault[T any](w phrase[T], isDefault func(T) bool, clear func(T)) phrase[T] {
	show, read := w.show, w.read
	w.show = func(t T) (string, bool) {
		if isDefault(t) {
			return "", false
		}
		return show(t)
	}
	w.read = func(t T, v string) error {
		err := read(t, v)
		if isDefault(t) {
			clear(t)
		}
		return err
	}
	return w
}

type pausing struct {
	at time.Time
	p  Pause
}

var pauseWords = []phrase[*pausing]{
	textWord("by", func(p *pausing) *string { return &p.p.By }).or(func(p *pausing) { p.p.By = somebody }),
	textWord("reason", func(p *pausing) *string { return &p.p.Reason }),
	ageWord("since", func(p *pausing) time.Time { return p.at }, func(p *pausing) *time.Time { return &p.p.Since }).or(func(p *pausing) { p.p.Since = p.at }),
	untilWord("for", func(p *pausing) time.Time { return p.at }, func(p *pausing) *time.Time { return &p.p.Until }),
}

type holding struct {
	at time.Time
	h  Hold
}

var holdWords = []phrase[*holding]{
	textWord("by", func(h *holding) *string { return &h.h.Owner }).or(func(h *holding) { h.h.Owner = somebody }),
	textWord("reason", func(h *holding) *string { return &h.h.Reason }),
	ageWord("since", func(h *holding) time.Time { return h.at }, func(h *holding) *time.Time { return &h.h.Since }).or(func(h *holding) { h.h.Since = h.at }),
	untilWord("for", func(h *holding) time.Time { return h.at }, func(h *holding) *time.Time { return &h.h.Until }),
}

type voting struct {
	at time.Time
	v  Vote
}

var voteWords = []phrase[*voting]{
	{
		values: []string{"up", "down", "partial", "saturated", "denied", "refused", "timeout", "unknown"},
		show: func(v *voting) (string, bool) {
			if v.v.Reach == ReachTimeout && v.v.Failures >= 2 {
				return "down", true
			}
			return v.v.Reach.String(), true
		},
		read: func(v *voting, text string) error {
			if text == "down" {
				v.v.Reach, v.v.Failures = ReachTimeout, 2
				return nil
			}
			return v.v.Reach.UnmarshalText([]byte(text))
		},
	},
	numberWord("failures", func(v *voting) *int { return &v.v.Failures }).or(func(v *voting) {
		if v.v.Reach.Unreachable() && v.v.Failures == 0 {
			v.v.Failures = 1
		}
	}),
	ageWord("ago", func(v *voting) time.Time { return v.at }, func(v *voting) *time.Time { return &v.v.At }).or(func(v *voting) { v.v.At = v.at }),
}

// heading is a cluster line.
type heading struct {
	at     time.Time
	named  bool
	kept   NamedCluster
	listed []InstanceID // below it
}

var headWords = []phrase[*heading]{
	{
		values: []string{"named"},
		show:   func(h *heading) (string, bool) { return "named", h.named },
		read: func(h *heading, _ string) error {
			h.named = true
			return nil
		},
	},
	textWord("alias", func(h *heading) *string { return &h.kept.Alias }),
	idWord("primary", func(h *heading) *InstanceID { return &h.kept.Primary }),
	uuidWord("primary_uuid", func(h *heading) *string { return &h.kept.PrimaryUUID }),
	numberWord("epoch", func(h *heading) *uint64 { return &h.kept.Epoch }),
	ageWord("since", func(h *heading) time.Time { return h.at }, func(h *heading) *time.Time { return &h.kept.Since }),
	sortedIDs(idsWord("members", func(h *heading) *[]InstanceID { return &h.kept.Members }).or(func(h *heading) {
		if len(h.listed) > 0 {
			h.kept.Members = slices.SortedFunc(slices.Values(h.listed), CompareIDs)
		}
	})),
}

// sortedIDs makes the order of the members of a cluster, which means nothing, always the same.
func sortedIDs(w phrase[*heading]) phrase[*heading] {
	show, read := w.show, w.read
	w.show = func(h *heading) (string, bool) {
		like := *h
		like.kept.Members = slices.SortedFunc(slices.Values(h.kept.Members), CompareIDs)
		return show(&like)
	}
	w.read = func(h *heading, v string) error {
		err := read(h, v)
		slices.SortFunc(h.kept.Members, CompareIDs)
		return err
	}
	return w
}

type opening struct {
	at time.Time
	o  OpenRecovery
}

var openWords = []phrase[*opening]{
	textWord("id", func(o *opening) *string { return &o.o.ID }),
	idWord("failed", func(o *opening) *InstanceID { return &o.o.Failed }),
	ageWord("since", func(o *opening) time.Time { return o.at }, func(o *opening) *time.Time { return &o.o.Since }).or(func(o *opening) { o.o.Since = o.at }),
}

type ending struct {
	at time.Time
	p  PastRecovery
}

var pastWords = []phrase[*ending]{
	textWord("id", func(e *ending) *string { return &e.p.ID }),
	textWord("outcome", func(e *ending) *string { return &e.p.Outcome }).or(func(e *ending) { e.p.Outcome = "success" }),
	idWord("failed", func(e *ending) *InstanceID { return &e.p.Failed }),
	idWord("successor", func(e *ending) *InstanceID { return &e.p.Successor }),
	ageWord("closed", func(e *ending) time.Time { return e.at }, func(e *ending) *time.Time { return &e.p.Closed }).or(func(e *ending) { e.p.Closed = e.at }),
	flagWord("acknowledged", "unacknowledged", func(e *ending) *bool { return &e.p.Acknowledged }),
}
