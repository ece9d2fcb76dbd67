package collector

import (
	"time"

	"github.com/batondb/baton/topology"
)

// scanChannels takes the status of every replication channel.
func scanChannels(s *session, a *answer) error {
	words := s.layout(askReplication, a.columns, channelWords)
	s.draft.Channels = nil
	for a.next() {
		c, err := s.channel(a, words)
		if err != nil {
			return err
		}
		if c.Source == "" {
			continue // RESET REPLICA ALL leaves a channel without a source behind
		}
		if s.draft.Channels == nil {
			s.draft.Channels = make([]topology.Channel, 0, max(1, len(s.facts.Channels)))
		}
		s.draft.Channels = append(s.draft.Channels, c)
	}
	if a.err != nil {
		return a.err
	}
	defaultFirst(s.draft.Channels)
	return nil
}

// channel reads one row. Strings and sets that are the same as at the last probe are taken from there.
//
// long because it is one switch with a case for each column.
func (s *session) channel(a *answer, words []word) (topology.Channel, error) {
	var (
		c       topology.Channel
		old     = s.channelBefore(a, words)
		host    string
		port    int
		behind  time.Duration
		unknown = true
	)
	for i, w := range words {
		switch w {
		case cChannel:
			c.Name = a.keep(i, old.Name)
		case cSourceHost:
			host = a.keep(i, s.lastHost)
		case cSourcePort:
			port = a.number(i)
		case cSourceUUID:
			c.SourceUUID = a.keep(i, old.SourceUUID)
		case cReceiver:
			c.Receiver = receiverOf(a, i)
		case cApplier:
			c.Applier = applierOf(a, i)
		case cReceiverErrno:
			c.ReceiverErrno = a.number(i)
		case cReceiverError:
			c.ReceiverError = a.keep(i, old.ReceiverError)
		case cApplierErrno:
			c.ApplierErrno = a.number(i)
		case cApplierError:
			c.ApplierError = a.keep(i, old.ApplierError)
		case cSourceLogFile:
			c.Read.File = a.keep(i, old.Read.File)
		case cReadPos:
			c.Read.Pos = uint64(a.number(i))
		case cRelaySourceLogFile:
			c.Applied.File = a.keep(i, old.Applied.File)
		case cExecPos:
			c.Applied.Pos = uint64(a.number(i))
		case cBehind:
			unknown = a.null(i)
			behind = time.Duration(a.number(i)) * time.Second
		case cDelay:
			c.Delay = time.Duration(a.number(i)) * time.Second
		case cAutoPosition:
			c.AutoPosition = a.flag(i)
		case cUsingGTID:
			c.AutoPosition = !a.is(i, "No")
		case cRetrieved, cGTIDIOPos:
			if err := s.retrieved(a, i, &c); err != nil {
				return c, err
			}
		case cFilter:
			c.Filtered = c.Filtered || len(a.bytes(i)) > 0
		case cBeats:
			c.Beats = uint64(a.number(i))
		case cHeartbeat:
			c.Heartbeat = a.seconds(i)
		}
	}
	if !s.dialect.mariadb { // questions of their own tell these, and may fail
		c.Heartbeat, c.Beats = old.Heartbeat, old.Beats
	}
	// No place is written as a file without a name, at position 4 or 0.
	if c.Read.File == "" {
		c.Read = topology.Coordinates{}
	}
	if c.Applied.File == "" {
		c.Applied = topology.Coordinates{}
	}
	if !unknown {
		c.Lag, c.LagKnown = max(0, behind-c.Delay), true
	}
	c.Source = s.sourceID(host, port)
	return c, nil
}

// retrieved is what the receiver of a channel has. MariaDB leaves an old position standing where it does not use GTIDs; the column that tells
// comes before this one.
func (s *session) retrieved(a *answer, i int, c *topology.Channel) error {
	if s.dialect.mariadb && !c.AutoPosition {
		return nil
	}
	seen := s.received[c.Name]
	if seen == nil {
		if s.received == nil {
			s.received = make(map[string]*memorised)
		}
		seen = new(memorised)
		s.received[c.Name] = seen
	}
	return seen.parse(a, i, &c.Retrieved)
}

// channelBefore finds what the last probe knew of the channel in the current row.
func (s *session) channelBefore(a *answer, words []word) topology.Channel {
	if len(s.facts.Channels) == 1 {
		return s.facts.Channels[0]
	}
	for i, w := range words {
		if w != cChannel {
			continue
		}
		for _, c := range s.facts.Channels {
			if c.Name == string(a.bytes(i)) {
				return c
			}
		}
	}
	return topology.Channel{}
}

// sourceID names the source that a channel is configured with.
func (s *session) sourceID(host string, port int) topology.InstanceID {
	if host == "<NULL>" {
		return "" // a channel of group replication, which has no one source
	}
	if host != s.lastHost || port != s.lastPort {
		s.lastHost, s.lastPort, s.lastSource = host, port, topology.NewInstanceID(host, port)
	}
	return s.canonical(s.lastSource)
}

func scanBeats(s *session, a *answer) error {
	for a.next() {
		if c := s.draftChannel(a.bytes(0)); c != nil {
			c.Beats = uint64(a.number(1))
		}
	}
	return a.err
}

func scanHeartbeat(s *session, a *answer) error {
	for a.next() {
		if c := s.draftChannel(a.bytes(0)); c != nil {
			c.Heartbeat = a.seconds(1)
		}
	}
	return a.err
}

// scanLag takes the number of seconds that a query of the operator's found. It replaces what the server thinks: where it is configured and
// fails, the lag is not known.
func scanLag(s *session, a *answer) error {
	known, lag := false, time.Duration(0)
	if a.next() && !a.null(0) {
		known, lag = true, a.seconds(0)
	}
	if a.err != nil {
		return a.err
	}
	s.setLag(known, lag)
	return nil
}

func (s *session) setLag(known bool, lag time.Duration) {
	if len(s.draft.Channels) == 0 {
		return
	}
	c := &s.draft.Channels[0]
	c.LagKnown, c.Lag = known, 0
	if known {
		c.Lag = max(0, lag-c.Delay)
	}
}

func (s *session) draftChannel(name []byte) *topology.Channel {
	for i := range s.draft.Channels {
		if s.draft.Channels[i].Name == string(name) {
			return &s.draft.Channels[i]
		}
	}
	return nil
}

func receiverOf(a *answer, i int) topology.Receiver {
	switch {
	case a.is(i, "Yes"):
		return topology.ReceiverConnected
	case a.is(i, "Connecting"), a.is(i, "Preparing"):
		return topology.ReceiverConnecting
	case a.is(i, "No"):
		return topology.ReceiverStopped
	}
	return topology.ReceiverUnknown
}

func applierOf(a *answer, i int) topology.Applier {
	switch {
	case a.is(i, "Yes"):
		return topology.ApplierRunning
	case a.is(i, "No"):
		return topology.ApplierStopped
	}
	return topology.ApplierUnknown
}

func defaultFirst(channels []topology.Channel) {
	for i := 1; i < len(channels); i++ {
		if channels[i].Name == "" {
			c := channels[i]
			copy(channels[1:i+1], channels[:i])
			channels[0] = c
			return
		}
	}
}
