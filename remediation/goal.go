package remediation

import (
	"slices"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// Trigger says who wants a recovery.
type Trigger string

// The triggers.
const (
	TriggerFinding  Trigger = "finding"
	TriggerAlert    Trigger = "alert"
	TriggerOperator Trigger = "operator"
)

// Goal is what a recovery is to reach. It is small enough to be kept in the ledger, and enough for any leader to take the recovery up from what it sees.
type Goal struct {
	ID      string                `json:"id,omitempty"` // of the recovery; empty in a dry run
	Kind    analysis.RecoveryKind `json:"kind"`
	Cluster string                `json:"cluster"`
	Rule    string                `json:"rule,omitempty"` // the finding that asked for it
	Trigger Trigger               `json:"trigger"`
	By      string                `json:"by"`
	Reason  string                `json:"reason,omitempty"`
	Allow   []GateName            `json:"allow,omitempty"`

	Failed topology.InstanceID `json:"failed,omitempty"` // the primary to replace, or the instance to repair
	To     topology.InstanceID `json:"to,omitempty"`     // whom the operator wants as successor, or the source to go below
	From   topology.InstanceID `json:"from,omitempty"`   // the source that an instance to relocate had

	// What is known of the failed primary when the recovery opens: its own last words may be forgotten later.
	LastPosition topology.GTIDSet      `json:"last_position,omitzero"`
	LastSeen     time.Time             `json:"last_seen,omitzero"`
	PrimaryUUID  string                `json:"primary_uuid,omitempty"`
	SemiSyncWait int                   `json:"semi_sync_wait,omitempty"` // the promise the old primary made; 0 is asynchronous
	DataCenter   string                `json:"data_center,omitempty"`
	Region       string                `json:"region,omitempty"`
	Followers    []topology.InstanceID `json:"followers,omitempty"` // its direct replicas when the recovery opened

	Closed bool `json:"closed,omitempty"` // it refused writes already, so that giving up does not open it

	// Durable is how durable each follower was: a leader that takes over in the middle of a drain finds it relaxed and cannot see what it was.
	Durable map[topology.InstanceID]Durability `json:"durable,omitempty"`

	Opened bool `json:"opened,omitempty"` // the ledger has opened it: gates about beginning are behind

	// Progress, filled in while the recovery runs.
	Successor topology.InstanceID            `json:"successor,omitempty"` // agreed on in the ledger; from then on nobody else
	Excluded  map[topology.InstanceID]string `json:"excluded,omitempty"`  // candidates that failed on the way, and how
	Lost      map[topology.InstanceID]string `json:"lost,omitempty"`      // replicas that could not be brought along, and why
	Abort     bool                           `json:"abort,omitempty"`     // put back what was changed
}

// Autonomy is how far Baton goes by itself.
type Autonomy string

// The levels, from looking on to acting.
const (
	Observe   Autonomy = "observe"
	Recommend Autonomy = "recommend"
	Approve   Autonomy = "approve"
	Auto      Autonomy = "auto"
)

// Policy is what the configuration says about recoveries of one cluster. Autonomy, MaxLag and WriteBlock take the values of DefaultPolicy where they
// are zero; a zero Cooldown is none and a zero RelaxAbove never relaxes.
type Policy struct {
	Autonomy      Autonomy      `json:"autonomy"`
	Cooldown      time.Duration `json:"cooldown"`         // after a completed recovery of the same kind
	MaxLag        time.Duration `json:"max_lag"`          // of a takeover's candidate
	WriteBlock    time.Duration `json:"write_block"`      // how long a takeover may keep the old primary closed
	DrainStall    time.Duration `json:"drain_stall"`      // without progress a drain is given up
	RelaxAbove    uint64        `json:"relax_above"`      // received and unapplied transactions from which durability is relaxed for the drain
	SameRegion    bool          `json:"same_region"`      // never fail over to another region
	SameDC        bool          `json:"same_data_center"` // never fail over to another data centre
	RejoinDeposed bool          `json:"rejoin_deposed"`   // a clean old primary becomes a replica by itself
	Allow         []GateName    `json:"allow,omitempty"`  // gates that need not pass
	Breaker       string        `json:"-"`                // why the breaker is open; empty while it is closed
}

// DefaultPolicy returns the defaults: look, plan and say, but do not act.
func DefaultPolicy() Policy {
	return Policy{
		Autonomy: Recommend, Cooldown: 5 * time.Minute, MaxLag: 10 * time.Second, WriteBlock: 5 * time.Second,
		DrainStall: 20 * time.Second, RelaxAbove: 500, RejoinDeposed: true,
	}
}

func (p Policy) withDefaults() Policy {
	d := DefaultPolicy()
	if p.Autonomy == "" {
		p.Autonomy = d.Autonomy
	}
	if p.MaxLag <= 0 {
		p.MaxLag = d.MaxLag
	}
	if p.WriteBlock <= 0 {
		p.WriteBlock = d.WriteBlock
	}
	return p
}

// Remember fills in what the goal must know of its instance before the instance's own words are forgotten. It is called when a recovery opens.
func (g Goal) Remember(snap *topology.Snapshot) Goal {
	i := snap.Instance(g.Failed)
	if i == nil {
		return g
	}
	g.Cluster = i.Cluster
	g.LastPosition, g.LastSeen, g.PrimaryUUID = i.Facts.Executed, i.Facts.At, i.Facts.ServerUUID
	g.DataCenter, g.Region, g.From = i.Facts.DataCenter, i.Facts.Region, i.Source
	g.Followers = slices.Clone(i.Direct)
	g.SemiSyncWait, g.Closed = promised(&i.Facts), i.Known() && !i.Writable()
	g.Durable = make(map[topology.InstanceID]Durability, len(i.Direct))
	for _, id := range i.Direct {
		if r := snap.Instance(id); r != nil && r.Known() {
			g.Durable[id] = durabilityOf(r)
		}
	}
	return g
}

func durabilityOf(i *topology.Instance) Durability {
	return Durability{SyncBinlog: i.Facts.SyncBinlog, FlushLogAtTrxCommit: i.Facts.FlushLogAtTrxCommit}
}
