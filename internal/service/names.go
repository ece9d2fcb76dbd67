package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/topology"
)

// settle is how long a cluster must look the same before its name or its primary is written down. A name is kept for good, so it waits until
// discovery has come to rest; a failover does not wait for it.
const settle = 2 * time.Second

// names gives clusters their lasting name and notes their members and primaries as they are seen.
type names struct {
	ledger  *ledger.Ledger
	aliases func(topology.InstanceID) string // the name that the configuration gives to the cluster of an instance
	logger  *slog.Logger
	seen    map[string]sight // by provisional or lasting name
}

type sight struct {
	members []string
	primary topology.InstanceID
	since   time.Time
}

func newNames(l *ledger.Ledger, aliases func(topology.InstanceID) string, logger *slog.Logger) *names {
	return &names{ledger: l, aliases: aliases, logger: logger, seen: make(map[string]sight)}
}

// keep compares every cluster with what the ledger knows of it. It is called by the leader alone.
func (n *names) keep(ctx context.Context, snap *topology.Snapshot) {
	state := n.ledger.State()
	next := make(map[string]sight, len(snap.Clusters))
	for _, c := range snap.Clusters {
		now := sight{members: memberNames(c), primary: c.Primary, since: snap.At}
		if old, ok := n.seen[c.Name]; ok && old.primary == now.primary && slices.Equal(old.members, now.members) {
			now.since = old.since
		}
		next[c.Name] = now
		if snap.At.Sub(now.since) >= settle {
			n.write(ctx, state, snap, c, now)
		}
	}
	n.seen = next
}

func (n *names) write(ctx context.Context, state *ledger.State, snap *topology.Snapshot, c *topology.Cluster, now sight) {
	if _, open := snap.Intents.Open[c.Name]; open || !known(c) {
		return
	}
	name := c.Name
	if !c.Named {
		name = n.choose(state, c)
	}
	kept := state.Clusters[name]
	if !slices.Equal(kept.Members, now.members) || c.Alias != kept.Alias && c.Alias != "" {
		n.propose(ctx, ledger.NameCluster{ID: name, Alias: c.Alias, Members: now.members})
	}
	n.readmit(ctx, state, snap, c)
	primary := snap.Instance(c.Primary)
	agreed := state.Primaries[name]
	if primary == nil || agreed.Instance == string(c.Primary) || primary.Deposed {
		return
	}
	// The first primary may be agreed on even when it is dead already: its replicas name it. A change needs a living one.
	if agreed.Instance == "" || primary.Up() && primary.Writable() {
		n.propose(ctx, ledger.AgreePrimary{Cluster: name, Instance: string(c.Primary), ServerUUID: primary.Facts.ServerUUID, Epoch: agreed.Epoch,
			Position: primary.Facts.Executed.String()})
	}
}

// readmit takes back that an instance was deposed, once it is seen to follow the primary and to refuse writes: whoever made it a replica, it is one.
func (n *names) readmit(ctx context.Context, state *ledger.State, snap *topology.Snapshot, c *topology.Cluster) {
	for _, m := range c.Members {
		ch, ok := m.Facts.Default()
		follows := ok && ch.Source == c.Primary && ch.Receiver == topology.ReceiverConnected
		if _, deposed := state.Deposed[string(m.Instance)]; deposed && m.Up() && follows && !m.Writable() {
			n.propose(ctx, ledger.Release{Instance: string(m.Instance)})
		}
	}
}

// known reports whether every member was asked at least once.
func known(c *topology.Cluster) bool {
	for _, m := range c.Members {
		if m.Attempted.IsZero() {
			return false
		}
	}
	return true
}

// choose finds a lasting name: what the configuration says, what the servers say, or one made from the identity of the first primary.
func (n *names) choose(state *ledger.State, c *topology.Cluster) string {
	for _, m := range c.Members {
		if name := n.aliases(m.Instance); name != "" && state.Clusters[name].ID == "" {
			return name
		}
	}
	if c.Alias != "" && state.Clusters[c.Alias].ID == "" {
		return c.Alias
	}
	sum := sha256.Sum256([]byte(c.Primary))
	return "cluster-" + hex.EncodeToString(sum[:3])
}

func (n *names) propose(ctx context.Context, body ledger.Body) {
	entry, err := ledger.NewEntry("baton", "as seen", body)
	if err == nil {
		err = n.ledger.Propose(ctx, entry)
	}
	if err != nil && ctx.Err() == nil {
		n.logger.Warn("what is seen of a cluster could not be recorded; it is tried again", "err", err)
	}
}

// memberNames returns the members of a cluster as the ledger keeps them.
func memberNames(c *topology.Cluster) []string {
	out := make([]string, len(c.Members))
	for n, m := range c.Members {
		out[n] = string(m.Instance)
	}
	slices.Sort(out)
	return out
}
