package sim

import (
	"time"

	"github.com/batondb/baton/topology"
)

// facts is what a server says of itself.
func (f *Fleet) facts(s *server) topology.Facts {
	out := topology.Facts{
		At: f.at, Version: s.Version, ServerID: uint32(s.n), ReadOnly: s.readOnly, SuperReadOnly: s.superReadOnly,
		LogBin: true, LogReplicaUpdates: !s.NoReplicaLog, BinlogFormat: "ROW", Binlog: topology.Coordinates{File: "bin.000001", Pos: uint64(4 + len(s.log))},
		GTID: true, Executed: f.executedSet(s), DataCenter: s.DataCenter, Region: s.Region, ReplicaNetTimeout: f.options.NetTimeout,
		SyncBinlog: s.durability.SyncBinlog, FlushLogAtTrxCommit: s.durability.FlushLogAtTrxCommit,
		SemiSync: topology.SemiSync{
			SourceInstalled: true, ReplicaInstalled: true, SourceEnabled: s.semiSource, SourceActive: s.semiSource, WaitFor: s.waitFor,
			WaitSessions: len(s.waiting), ReplicaEnabled: s.semiReplica, ReplicaActive: s.semiReplica && s.receiver.connected,
		},
	}
	if !s.mariaDB() {
		out.ServerUUID = s.uuid
		if s.purged > 0 {
			var gone set
			for _, t := range s.log[:s.purged] {
				gone.add(t)
			}
			out.Purged = f.gtidsOf(gone, s)
		}
	}
	for _, r := range f.servers {
		if r.source == s.ID && r.alive && r.receiver.connected {
			out.Replicas = append(out.Replicas, r.ID)
			if r.semiReplica {
				out.SemiSync.SourceClients++
			}
		}
	}
	if s.source != "" {
		out.Channels = []topology.Channel{f.channel(s)}
	}
	return out
}

func (f *Fleet) channel(s *server) topology.Channel {
	c := topology.Channel{
		Source: s.source, Receiver: topology.ReceiverStopped, ReceiverErrno: s.receiver.errno, Applier: topology.ApplierStopped,
		ApplierErrno: s.applier.errno, AutoPosition: true, Retrieved: f.retrievedSet(s), Delay: s.Delay, Beats: s.receiver.beats,
		Read: topology.Coordinates{File: "bin.000001", Pos: uint64(4 + s.receiver.cursor)},
	}
	if src := f.byID[s.source]; src != nil && !s.mariaDB() {
		c.SourceUUID = src.uuid
	}
	switch {
	case s.receiver.on && s.receiver.connected:
		c.Receiver = topology.ReceiverConnected
	case s.receiver.on:
		c.Receiver = topology.ReceiverConnecting
	}
	if s.applier.on {
		c.Applier = topology.ApplierRunning
	}
	if c.Receiver == topology.ReceiverConnected && s.applier.on {
		c.LagKnown = true
		if len(s.relay) > 0 {
			c.Lag = max(0, f.at.Sub(f.all[s.relay[0].t].at)-s.Delay).Truncate(time.Second)
		}
	}
	return c
}

// Facts is what a server would say of itself now, whether or not anybody can reach it.
func (f *Fleet) Facts(id topology.InstanceID) topology.Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.facts(f.byID[id])
}

// reach is how a party gets on with a server.
type reach int

const (
	answers reach = iota
	refuses
	isSilent
)

func (f *Fleet) reach(from Party, s *server) reach {
	switch {
	case s.hung || !f.linked(from, s.ID):
		return isSilent
	case !s.alive:
		return refuses
	}
	return answers
}
