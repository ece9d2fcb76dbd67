package collector

import (
	"slices"
	"time"

	"github.com/batondb/baton/topology"
)

// HistoryLength is how many attempts the flight recorder keeps of each instance.
const HistoryLength = 32

// Fold adds one attempt to what was known of an instance. It is pure, and prev is not changed.
//
// A failure leaves the last good facts as they are. Only refusals and timeouts count as failures, any sign of life ends a run of them, and what
// proves nothing (a name that does not resolve) neither counts nor ends one. A sentinel that fell stays fallen until the instance answers an
// attempt that began afterwards.
func Fold(prev topology.Observation, facts topology.Facts, err error, started, ended time.Time) topology.Observation {
	o := prev
	o.Attempted, o.Took = ended, ended.Sub(started)
	o.Reach, o.Errno = Classify(err)
	o.Error = ""
	switch {
	case o.Reach.Alive():
		o.Failures, o.FailingSince = 0, time.Time{}
		if !started.Before(o.SentinelFell) {
			o.SentinelFell = time.Time{}
		}
	case o.Reach.Unreachable():
		if o.Failures++; o.FailingSince.IsZero() {
			o.FailingSince = ended
		}
	}
	switch o.Reach {
	case topology.ReachUnknown:
	case topology.ReachPartial:
		o.Partials++
	default:
		o.Partials = 0
	}
	if err == nil {
		o.Facts = foldFacts(&prev.Facts, facts, ended)
	} else {
		o.Error = err.Error()
		if missing := missingGrants(err); missing != nil {
			o.Facts.MissingGrants = missing
		}
	}
	o.History = record(prev.History, topology.Attempt{At: ended, Reach: o.Reach, Errno: o.Errno, Took: o.Took})
	return o
}

// Fell notes that the idle connection to an instance broke. It is no attempt and no evidence of its own.
func Fell(prev topology.Observation, at time.Time) topology.Observation {
	prev.SentinelFell = at
	return prev
}

func record(history []topology.Attempt, a topology.Attempt) []topology.Attempt {
	if len(history) >= HistoryLength {
		history = history[len(history)-HistoryLength+1:]
	}
	// Never appended in place: others may hold the same history.
	next := make([]topology.Attempt, len(history)+1)
	copy(next, history)
	next[len(history)] = a
	return next
}

func foldFacts(prev *topology.Facts, facts topology.Facts, ended time.Time) topology.Facts {
	facts.At = ended
	if prev.ServerUUID == facts.ServerUUID && prev.ServerID == facts.ServerID {
		// A query of the operator's that failed must not undo what it found before.
		for _, f := range []struct {
			now    *string
			before string
		}{
			{&facts.DataCenter, prev.DataCenter}, {&facts.Region, prev.Region}, {&facts.ClusterAlias, prev.ClusterAlias},
		} {
			if *f.now == "" {
				*f.now = f.before
			}
		}
	}
	if len(facts.Channels) > 0 {
		facts.Channels = slices.Clone(facts.Channels)
		for i := range facts.Channels {
			foldChannel(before(prev, &facts.Channels[i]), &facts.Channels[i], ended)
		}
	}
	return facts
}

// before returns what was known of the same channel from the same source.
func before(prev *topology.Facts, c *topology.Channel) *topology.Channel {
	for i := range prev.Channels {
		if p := &prev.Channels[i]; p.Name == c.Name && p.Source == c.Source {
			return p
		}
	}
	return nil
}

// foldChannel derives since when the receiver is in its state, and when it last heard its source: when a position or the heartbeat counter has
// advanced, or when it has just connected, which takes a source that answers. A channel that is seen for the first time has heard nothing that
// we know of, even when it is connected: a connection may be stale.
func foldChannel(prev, c *topology.Channel, ended time.Time) {
	if prev == nil {
		c.ReceiverSince, c.HeardAt = ended, time.Time{}
		return
	}
	c.ReceiverSince, c.HeardAt = prev.ReceiverSince, prev.HeardAt
	if c.Receiver != prev.Receiver {
		c.ReceiverSince = ended
	}
	connected := c.Receiver == topology.ReceiverConnected
	was := prev.Receiver == topology.ReceiverConnected
	if connected && !was && prev.Receiver != topology.ReceiverUnknown || (connected || was) && advanced(prev, c) {
		c.HeardAt = ended
	}
}

// advanced reports whether something has arrived. What goes backwards was reset and proves nothing.
func advanced(prev, c *topology.Channel) bool {
	if c.Beats > prev.Beats {
		return true
	}
	if order, ok := c.Read.Compare(prev.Read); ok && order > 0 {
		return true
	}
	return c.Retrieved != prev.Retrieved && !c.Retrieved.Equal(prev.Retrieved) && c.Retrieved.Contains(prev.Retrieved)
}
