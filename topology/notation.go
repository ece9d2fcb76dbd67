package topology

import (
	"slices"
	"strings"
	"time"
)

// NotationTime is the moment at which a text of the notation is read: all its times are relative to this one.
var NotationTime = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// Format writes a snapshot in the notation that Parse reads. Parse gives back the input of the snapshot as far as the notation can say it: it cannot
// say the flight recorder and fractions of a millisecond, and its moment is always NotationTime.
//
// # The notation
//
// One line is one instance. Indentation (spaces only) means "replicates from the line above that is indented less". Lines that begin with # are
// comments. Words may stand in any order; a value with spaces is quoted as in Go. What is not said takes its default, so that
//
//	cluster shop
//	db1 down since=40s
//	  db2 receiver=connecting
//	  db3 receiver=connecting promotion=prefer
//
// is complete. Ages (since, seen, heard, ...) say how long ago, and "never" is the zero time. Durations are whole milliseconds.
//
// How it answers: up (default, answered just now), down (timed out twice), timeout, refused, partial, saturated, denied, unknown (never tried) ·
// failures= partials= errno= error= took= · attempted= (age of the newest attempt) · since= (age of the first failure; 10s when down, otherwise 1s) ·
// seen= (age of the newest complete answer; when it did not fail, 10s ago, otherwise 1s before it failed) · sentinel_fell (when it began to fail) or
// sentinel_fell=AGE.
//
// What it is: version= (9.7.4; 10.11.6-MariaDB; where the version does not tell the flavour, VERSION/percona) · server_id= uuid= (made from the name) ·
// hostname= report_host= · read_only super_read_only writable (a replica is read_only, a root writable) · no_log_bin no_log_replica_updates no_gtid ·
// format= (ROW) · binlog=FILE:POS executed= purged= · sync_binlog= flush_log= (1) · net_timeout= (60s) · connected=ID,ID (replicas it sees) · dc= region= ·
// cluster_alias= (the name of its cluster line, unless that is named or looks like an instance) · missing_grants="GRANT ...; GRANT ..." ·
// semisync_source= semisync_replica= none, off, fallen (enabled and not active) or on · semisync_clients= semisync_wait_for= semisync_sessions=
// semisync_timeout=.
//
// Its replication channel: source= where the tree cannot say it (co-primaries) · source_uuid= · receiver= connected, connecting, stopped or unknown ·
// receiver_errno= receiver_error= · receiver_since= (connected for 1h, otherwise for 3s) · heard= (when seen) · applier= running, stopped or unknown ·
// applier_errno= applier_error= · no_auto_position · retrieved= read=FILE:POS applied=FILE:POS · lag=DURATION or unknown (0s while both threads work,
// otherwise unknown) · delay= filtered heartbeat= beats=. After channel=NAME source=ID the words are about that channel.
//
// In GTID sets and UUIDs, u1, u2, ... are short for 00000000-0000-0000-0000-000000000001 and so on.
//
// What people and the ledger want: promotion= prefer, prefer_not, must_not · downtime or downtime=DURATION (to come) · maintenance, likewise · deposed
// or deposed=AGE, deposed_from=CLUSTER, fenced · quarantined or quarantined="reason", quarantined_gtids=.
//
// Lines that are not instances are never indented:
//
//	baton nodes=3 down_after=2 stale_after=30s fresh_for=10s lost_after=500ms slack=5s settle=250ms
//	pause fleet|cluster NAME|rule NAME  by= reason= since= for=
//	downtime INSTANCE  by= reason= since= for=
//	maintenance CLUSTER|INSTANCE  by= reason= since= for=
//	vote NODE INSTANCE up|down|timeout|refused|...  failures= ago=
//	cluster NAME  named alias= primary= primary_uuid= epoch= since= members=ID,ID
//	open KIND  id= failed= since=
//	past KIND  id= outcome= failed= successor= closed= acknowledged
//
// A named cluster is one the ledger knows, by default with the instances below it as members and no primary agreed on. open and past are recoveries
// of the cluster above them. Instances before any cluster line belong to whatever Build makes of them.
func Format(s *Snapshot) string {
	f := formatter{s: s}
	f.top()
	names := make(map[string]bool)
	for _, c := range s.Clusters {
		names[c.Name] = true
	}
	for name := range s.Intents.Clusters {
		names[name] = true
	}
	for name := range s.Intents.Open {
		names[name] = true
	}
	for name := range s.Intents.Past {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		f.cluster(name)
	}
	return f.b.String()
}

// FormatInput writes an input in the notation, as Format does.
func FormatInput(in Input) string { return Format(Build(in)) }

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type formatter struct {
	s *Snapshot
	b strings.Builder
}

func (f *formatter) line(depth int, words ...string) {
	for range depth {
		f.b.WriteString("  ")
	}
	f.b.WriteString(strings.Join(words, " "))
	f.b.WriteByte('\n')
}

// top writes what belongs to no cluster.
func (f *formatter) top() {
	s := f.s
	if words := writeWords(setupWords, &setup{nodes: s.Nodes, patience: s.Patience}, &setup{}); len(words) > 0 {
		f.line(0, append([]string{"baton"}, words...)...)
	}
	for n := range s.Intents.Pauses {
		p := s.Intents.Pauses[n]
		words := []string{"pause", quoteWord(string(p.Scope))}
		if p.Scope != PauseFleet {
			words = append(words, quoteWord(p.Name))
		}
		f.line(0, append(words, writeWords(pauseWords, &pausing{s.At, p}, &pausing{at: s.At})...)...)
	}
	writeHolds(f, "downtime", s.Intents.Downtimes)
	writeHolds(f, "maintenance", s.Intents.Maintenance)
	for _, v := range s.votes {
		words := writeWords(voteWords, &voting{s.At, v}, &voting{at: s.At})
		f.line(0, append([]string{"vote", quoteWord(v.Node), quoteWord(string(v.Instance))}, words...)...)
	}
}

// writeHolds writes the holds that have no instance on whose line they could stand, and those of which a word there would not say enough.
func writeHolds[K ~string](f *formatter, what string, holds map[K]Hold) {
	for _, key := range sortedKeys(holds) {
		if h := holds[key]; !f.fitsWord(InstanceID(key), h) {
			words := writeWords(holdWords, &holding{f.s.At, h}, &holding{at: f.s.At})
			f.line(0, append([]string{what, quoteWord(string(key))}, words...)...)
		}
	}
}

func (f *formatter) fitsWord(id InstanceID, h Hold) bool {
	return f.s.Instance(id) != nil && h.Owner == somebody && h.Reason == "" && showAge(f.s.At, h.Since) == "0s"
}

func (f *formatter) cluster(name string) {
	s := f.s
	if f.b.Len() > 0 {
		f.b.WriteByte('\n')
	}
	var members []*Instance
	if c := s.Cluster(name); c != nil {
		members = c.Members
	}
	kept, named := s.Intents.Clusters[name]
	words := []string{"cluster", quoteWord(name)}
	if named {
		listed := make([]InstanceID, 0, len(members))
		for _, m := range members {
			listed = append(listed, m.Instance)
		}
		words = append(words, writeWords(headWords, &heading{at: s.At, named: true, kept: kept}, &heading{at: s.At, listed: listed})...)
	}
	f.line(0, words...)
	if o, ok := s.Intents.Open[name]; ok {
		f.line(0, append([]string{"open", quoteWord(o.Kind)}, writeWords(openWords, &opening{s.At, o}, &opening{at: s.At})...)...)
	}
	for _, p := range s.Intents.Past[name] {
		f.line(0, append([]string{"past", quoteWord(p.Kind)}, writeWords(pastWords, &ending{s.At, p}, &ending{at: s.At})...)...)
	}
	f.tree(name, named, members)
}

// tree writes the instances of a cluster. It makes its own tree: only what follows on the unnamed channel can be said by indentation.
func (f *formatter) tree(name string, named bool, members []*Instance) {
	below := make(map[InstanceID][]*Instance)
	var roots, circles []*Instance
	inside := make(map[InstanceID]bool, len(members))
	for _, m := range members {
		inside[m.Instance] = true
	}
	for _, m := range members {
		c := unnamedChannel(&m.Observation)
		switch {
		case c == nil || !inside[c.Source]:
			roots = append(roots, m)
		default:
			below[c.Source] = append(below[c.Source], m)
			circles = append(circles, m)
		}
	}
	written := make(map[InstanceID]bool, len(members))
	var write func(depth int, i *Instance, parent InstanceID)
	write = func(depth int, i *Instance, parent InstanceID) {
		if written[i.Instance] {
			return
		}
		written[i.Instance] = true
		f.line(depth, f.instance(name, named, i, parent)...)
		for _, r := range below[i.Instance] {
			write(depth+1, r, i.Instance)
		}
	}
	for _, r := range roots {
		write(0, r, "")
	}
	for _, m := range circles { // what is not written yet hangs from a circle, or is in one
		write(0, m, "")
	}
}

func unnamedChannel(o *Observation) *Channel {
	if o.Facts.At.IsZero() {
		return nil
	}
	for n := range o.Facts.Channels {
		if c := &o.Facts.Channels[n]; c.Name == "" && c.Source != "" {
			return c
		}
	}
	return nil
}

func (f *formatter) instance(name string, named bool, i *Instance, parent InstanceID) []string {
	s, id := f.s, i.Instance
	actual := &server{at: s.At, heading: name, named: named, o: i.Observation, promotion: s.Intents.PromotionRules[id]}
	if h := lookup(s.Intents.Downtimes, id); h != nil && f.fitsWord(id, *h) {
		actual.downtime = h
	}
	if h := lookup(s.Intents.Maintenance, string(id)); h != nil && f.fitsWord(id, *h) {
		actual.maintenance = h
	}
	actual.deposed = lookup(s.Intents.Deposed, id)
	actual.quarantined = lookup(s.Intents.Quarantined, id)
	channels := []*Channel{unnamedChannel(&i.Observation)}
	for n := range i.Facts.Channels {
		if c := &i.Facts.Channels[n]; c.Name != "" && c.Source != "" && !i.Facts.At.IsZero() {
			channels = append(channels, c)
		}
	}
	guess := &server{at: s.At, heading: name, named: named, follows: channels[0] != nil || len(channels) > 1}
	guess.o.Instance = id
	words := append([]string{quoteWord(string(id))}, writeWords(serverWords, actual, guess)...)
	for _, c := range channels {
		if c == nil {
			continue
		}
		like := &Channel{Name: c.Name}
		if c.Name == "" {
			like.Source = parent
		} else {
			words = append(words, "channel="+quoteWord(c.Name))
		}
		words = append(words, writeWords(linkWords, &link{guess, c}, &link{guess, like})...)
	}
	return words
}

func lookup[K comparable, V any](m map[K]V, key K) *V {
	if v, ok := m[key]; ok {
		return &v
	}
	return nil
}
