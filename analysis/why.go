package analysis

import (
	"fmt"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// The sentences: why a rule holds, with the facts, and since when by the evidence itself. They are for people; nothing reads them back.

// whyUnreachable tells how a source fails to answer and what each of its replicas says.
func whyUnreachable(s Subject) (string, time.Time) {
	parts := []string{s.failing()}
	if s.Replicas.Total > 0 {
		parts = append(parts, s.testimonies())
	}
	if !s.Instance.Down {
		parts = append(parts, fmt.Sprintf("no majority of the %d nodes of Baton agrees", s.Snapshot.Nodes))
	}
	return strings.Join(parts, "; ") + ".", s.Instance.FailingSince
}

// whySuperseded names who else takes writes.
func whySuperseded(s Subject) (string, time.Time) {
	text := s.failing() + "; "
	if w := s.otherWriter(); w != nil {
		text += fmt.Sprintf("%s of the same cluster is up and writable and follows nobody.", w.Instance)
	} else {
		text += fmt.Sprintf("the primary of %s is %s.", s.Cluster.Name, s.Cluster.Primary)
	}
	return text, s.Instance.FailingSince
}

// whyAnswers tells how an instance that is alive answers.
func whyAnswers(s Subject) (string, time.Time) {
	i := s.Instance
	text := fmt.Sprintf("%s %s%s", i.Instance, manner(i.Agreed), because(i.Errno, ""))
	if i.Agreed == topology.ReachPartial {
		text += fmt.Sprintf(", %s in a row", times(i.Partials, "time"))
	}
	if s.Replicas.Total > 0 {
		text += "; " + s.testimonies()
	}
	return text + ".", time.Time{}
}

// manner completes the sentence "the instance ...".
func manner(r topology.Reach) string {
	switch r {
	case topology.ReachUp:
		return "is up"
	case topology.ReachPartial:
		return "leaves questions unanswered"
	case topology.ReachSaturated:
		return "has no connection left"
	case topology.ReachDenied:
		return "turns Baton away"
	case topology.ReachRefused:
		return "refuses connections"
	case topology.ReachTimeout:
		return "does not answer"
	default:
		return "is unknown"
	}
}

// whyReplicas tells what the replicas of a source that is up do.
func whyReplicas(s Subject) (string, time.Time) {
	if s.Replicas.Total == 0 {
		return fmt.Sprintf("%s %s and has no replicas.", s.Instance.Instance, manner(s.Instance.Agreed)), time.Time{}
	}
	var states []string
	s.eachReplica(func(r *topology.Instance) {
		if c := r.Facts.DefaultChannel(); !r.Up() || c == nil {
			states = append(states, fmt.Sprintf("%s %s", r.Instance, manner(r.Agreed)))
		} else {
			states = append(states, fmt.Sprintf("%s: %s", r.Instance, threads(c)))
		}
	})
	return fmt.Sprintf("%s %s; %s.", s.Instance.Instance, manner(s.Instance.Agreed), some(states, "; ")), time.Time{}
}

// whyLogging tells how many replicas others could follow.
func whyLogging(s Subject) (string, time.Time) {
	return fmt.Sprintf("%s has %s, %d of them up, and none logs what it applies.", s.Instance.Instance, times(s.Replicas.Total, "replica"), s.Replicas.Up), time.Time{}
}

// whyWrites tells which two instances take, or fail to take, writes.
func whyWrites(s Subject) (string, time.Time) {
	i, leader := s.Instance, s.Cluster.Primary
	mode := "read-only"
	if i.Writable() {
		mode = "writable"
	}
	text := fmt.Sprintf("%s is up and %s", i.Instance, mode)
	if i.Source != "" {
		text += " and follows " + string(i.Source)
	} else {
		text += " and follows nobody"
	}
	if d, ok := s.Snapshot.Intents.Deposed[i.Instance]; ok {
		text += fmt.Sprintf("; it was deposed %s ago", ago(s.Snapshot.At, d.Since))
	}
	if leader != i.Instance && leader != "" {
		text += fmt.Sprintf("; the primary of %s is %s", s.Cluster.Name, leader)
	}
	return text + ".", time.Time{}
}

// whyReceiver tells the state of the receiver.
func whyReceiver(s Subject) (string, time.Time) {
	c := s.Channel
	return fmt.Sprintf("%s: its receiver from %s is %s%s%s.", s.Instance.Instance, c.Source, c.Receiver, because(c.ReceiverErrno, c.ReceiverError), forTime(s.Snapshot.At, c.ReceiverSince)), c.ReceiverSince
}

// whyApplier tells the state of the applier.
func whyApplier(s Subject) (string, time.Time) {
	c := s.Channel
	return fmt.Sprintf("%s: its applier is %s%s.", s.Instance.Instance, c.Applier, because(c.ApplierErrno, c.ApplierError)), time.Time{}
}

// whyLags tells by how much.
func whyLags(s Subject) (string, time.Time) {
	text := fmt.Sprintf("%s lags %s behind %s", s.Instance.Instance, round(s.Channel.Lag), s.Channel.Source)
	if s.Channel.Delay > 0 {
		text += fmt.Sprintf(", not counting the configured delay of %s", round(s.Channel.Delay))
	}
	return text + ".", time.Time{}
}

// whyQuarantined repeats the reason of the quarantine.
func whyQuarantined(s Subject) (string, time.Time) {
	q := s.Snapshot.Intents.Quarantined[s.Instance.Instance]
	text := fmt.Sprintf("%s is quarantined", s.Instance.Instance)
	if q.Reason != "" {
		text += ": " + strings.TrimSuffix(q.Reason, ".")
	}
	if !q.GTIDs.IsEmpty() {
		text += fmt.Sprintf(" (%s)", clip(q.GTIDs.String()))
	}
	return text + ".", q.Since
}

func whyIsolated(s Subject) (string, time.Time) {
	a := s.Area
	confirmed := "there is no other node that could confirm it"
	if s.Snapshot.Nodes > 1 {
		confirmed = fmt.Sprintf("no majority of the %d nodes confirms it", s.Snapshot.Nodes)
	}
	return fmt.Sprintf("This node lost %d of %s, on %d of %s, %s ago; %s.", a.Lost, times(a.Seen, "instance"),
		a.LostHosts, times(a.SeenHosts, "host"), ago(s.Snapshot.At, a.LostSince), confirmed), a.LostSince
}

func whyStormy(s Subject) (string, time.Time) {
	a := s.Area
	names := make([]string, len(a.Fallen))
	for n, id := range a.Fallen {
		names[n] = string(id)
	}
	return fmt.Sprintf("In the %s the primaries of %d of %s are down together, the first for %s: %s.", a.Name, len(a.Fallen), times(a.Clusters, "cluster"),
		ago(s.Snapshot.At, a.FallenSince), some(names, ", ")), a.FallenSince
}

// failing tells how the instance itself fails to answer.
func (s Subject) failing() string {
	i := s.Instance
	reach, _ := s.Snapshot.Here(i)
	if !reach.Unreachable() { // this node sees it otherwise than the majority does
		return fmt.Sprintf("%s is down for a majority of the %d nodes of Baton; for this one it %s", i.Instance, s.Snapshot.Nodes, manner(reach))
	}
	text := fmt.Sprintf("%s %s, %s%s", i.Instance, manner(reach), times(i.Failures, "attempt"), because(i.Errno, ""))
	if i.Failures > 1 {
		text = fmt.Sprintf("%s %s, %d attempts in a row%s", i.Instance, manner(reach), i.Failures, because(i.Errno, ""))
	}
	if !i.FailingSince.IsZero() {
		text += ", for " + ago(s.Snapshot.At, i.FailingSince)
	}
	return text
}

// testimonies tells what each direct replica says of the subject.
func (s Subject) testimonies() string {
	by := make(map[topology.Testimony][]string)
	var away []string
	s.eachReplica(func(r *topology.Instance) {
		if r.Up() {
			t := s.Snapshot.Testimony(r)
			by[t] = append(by[t], string(r.Instance))
		} else {
			away = append(away, fmt.Sprintf("%s %s", r.Instance, manner(r.Agreed)))
		}
	})
	var text strings.Builder
	fmt.Fprintf(&text, "of its %s %d %s up", times(s.Replicas.Total, "replica"), s.Replicas.Up, plural(s.Replicas.Up, "is", "are"))
	for _, t := range []struct {
		testimony topology.Testimony
		one, many string
	}{
		{topology.TestimonyReceives, "still receives", "still receive"},
		{topology.TestimonySilent, "is connected and hears nothing", "are connected and hear nothing"},
		{topology.TestimonyLostIt, "lost it", "lost it"},
		{topology.TestimonyMute, "cannot tell", "cannot tell"},
		{topology.TestimonyUnknown, "cannot be asked", "cannot be asked"},
	} {
		if names := by[t.testimony]; len(names) > 0 {
			fmt.Fprintf(&text, ", %s %s", some(names, ", "), plural(len(names), t.one, t.many))
		}
	}
	if len(away) > 0 {
		text.WriteString(", " + some(away, ", "))
	}
	return text.String()
}

func (s Subject) eachReplica(do func(*topology.Instance)) {
	for _, r := range s.Instance.Followers() {
		if !r.Downtimed {
			do(r)
		}
	}
}

func threads(c *topology.Channel) string {
	return fmt.Sprintf("receiver %s%s, applier %s%s", c.Receiver, because(c.ReceiverErrno, ""), c.Applier, because(c.ApplierErrno, ""))
}

// because adds an error to a sentence, by number first: texts change between versions and may be long.
func because(errno int, text string) string {
	switch text = clip(strings.TrimSuffix(strings.TrimSpace(text), ".")); {
	case errno == 0 && text == "":
		return ""
	case text == "":
		return fmt.Sprintf(" (error %d)", errno)
	case errno == 0:
		return fmt.Sprintf(" (%s)", text)
	}
	return fmt.Sprintf(" (error %d: %s)", errno, text)
}

// clip keeps a quotation short and on one line.
func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	const most = 160
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

func forTime(at, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return ", for " + ago(at, since)
}

func ago(at, since time.Time) string { return round(max(0, at.Sub(since))) }

// round keeps as much of a duration as a reader wants.
func round(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// some joins the first few of a list.
func some(list []string, sep string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], sep) + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, sep)
}

func times(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what, what+"s")) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func whyLacksGrants(s Subject) (string, time.Time) {
	return fmt.Sprintf("%s does not give Baton's account all the rights it needs: %s.", s.Instance.Instance, strings.Join(s.Instance.Facts.MissingGrants, "; ")), time.Time{}
}
