package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// run keeps names for one term. It is beside what acts, so that no failover waits for a name.
func (n *names) run(ctx context.Context, e *engine) {
	for {
		judged := e.judged()
		n.keep(ctx, e.newest.Load().snapshot)
		select {
		case <-ctx.Done():
			return
		case <-judged:
		}
	}
}

// keep compares every cluster with what the ledger knows of it.
func (n *names) keep(ctx context.Context, snap *topology.Snapshot) {
	next := make(map[string]sight, len(snap.Clusters))
	for _, c := range snap.Clusters {
		now := sight{members: memberNames(c), primary: c.Primary, since: snap.At}
		if old, ok := n.seen[c.Name]; ok && old.primary == now.primary && slices.Equal(old.members, now.members) {
			now.since = old.since
		}
		next[c.Name] = now
		if snap.At.Sub(now.since) >= settle {
			n.write(ctx, n.ledger.State(), snap, c, now) // what was written for the cluster before counts
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
	if alias := freeAlias(state, name, c.Alias); !slices.Equal(kept.Members, now.members) || alias != kept.Alias && alias != "" {
		n.propose(ctx, ledger.NameCluster{ID: name, Alias: alias, Members: now.members})
	}
	n.readmit(ctx, state, c)
	primary := snap.Instance(c.Primary)
	agreed := state.Primaries[name]
	if primary == nil || agreed.Instance == string(c.Primary) || primary.Deposed {
		return
	}
	// The first primary may be agreed on even when it is dead already: its replicas name it. A change needs a living one.
	if agreed.Instance == "" || primary.Up() && primary.Writable() {
		n.propose(ctx, ledger.AgreePrimary{
			Cluster: name, Instance: string(c.Primary), ServerUUID: primary.Facts.ServerUUID, Epoch: agreed.Epoch,
			Position: primary.Facts.Executed.String(),
		})
	}
}

// readmit notes that a deposed instance refuses writes, and takes back that it was deposed once it follows the primary besides: whoever made it a
// replica, it is one.
func (n *names) readmit(ctx context.Context, state *ledger.State, c *topology.Cluster) {
	for _, m := range c.Members {
		ch, ok := m.Facts.Default()
		follows := ok && ch.Source == c.Primary && ch.Receiver == topology.ReceiverConnected
		deposed, ok := state.Deposed[string(m.Instance)]
		switch closed := ok && m.Up() && !m.Writable(); {
		case closed && follows && !m.Quarantined:
			n.propose(ctx, ledger.Release{Instance: string(m.Instance)})
		case closed && !deposed.Fenced():
			n.propose(ctx, ledger.MarkFenced{Instance: string(m.Instance)})
		}
	}
}

// freeAlias is the alias that servers give themselves, unless it is another cluster's: staging that was restored from production must not be kept from
// being named, nor be taken for it.
func freeAlias(state *ledger.State, name, alias string) string {
	if owner, taken := state.ClusterOf(alias); taken && owner.ID != name {
		return ""
	}
	return alias
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
	name := "cluster-" + hex.EncodeToString(sum[:3])
	for n := 2; state.Clusters[name].ID != ""; n++ {
		name = fmt.Sprintf("cluster-%s-%d", hex.EncodeToString(sum[:3]), n)
	}
	return name
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
