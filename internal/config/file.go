package config

import (
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// The comments on the fields of this file are the reference documentation: docs/configuration.md and baton.yaml are generated from them.

// File is the whole configuration. Every key may be left out. Durations are written 500ms, 10s, 5m, 240h or 10d; relative paths begin at the
// directory of the file.
type File struct {
	// Address on which the API, the metrics and the health checks are served. The default can only be reached from the same machine: whoever
	// reaches the API may command Baton.
	Listen string `yaml:"listen"`
	// URL under which other nodes and people reach this node's API. Without it, it is made from `listen`.
	AdvertiseURL string `yaml:"advertise_url"`
	// Directory of what must survive a restart: the ledger and the cache of observations.
	DataDir string `yaml:"data_dir"`
	// Name of this node among the nodes of Baton, for good. It may be left out unless there are `ledger.peers`.
	Node string `yaml:"node"`
	// Serve Go's profiles below /debug/pprof.
	Pprof bool `yaml:"pprof"`

	Log       Log       `yaml:"log"`
	MySQL     MySQL     `yaml:"mysql"`
	Discovery Discovery `yaml:"discovery"`
	Detection Detection `yaml:"detection"`
	Recovery  Recovery  `yaml:"recovery"`
	// Clusters that differ from the rest of the fleet.
	Clusters []Cluster `yaml:"clusters"`
	Ledger   Ledger    `yaml:"ledger"`
}

// Log says what is logged, and how.
type Log struct {
	// The least severe messages that are written: `debug`, `info`, `warn` or `error`.
	Level string `yaml:"level"`
	// `text` or `json`.
	Format string `yaml:"format"`
}

// MySQL says as whom Baton connects to the servers, and how. An account has at most one of its three kinds of password; files and environment
// variables are read for every new connection, so that a password can be changed without a restart.
type MySQL struct {
	// Account with which Baton observes and repairs.
	User string `yaml:"user"`
	// Its password, in plain text. Prefer one of the next two.
	Password Secret `yaml:"password"`
	// File that holds the password and nothing else.
	PasswordFile string `yaml:"password_file"`
	// Environment variable that holds the password.
	PasswordEnv string `yaml:"password_env"`
	// Account with which a replica logs in at its source. It is needed where a server becomes a replica that was none before, such as an old
	// primary; replicas keep the account they have.
	ReplicationUser string `yaml:"replication_user"`
	// Its password, in plain text. Prefer one of the next two.
	ReplicationPassword Secret `yaml:"replication_password"`
	// File that holds the password and nothing else.
	ReplicationPasswordFile string `yaml:"replication_password_file"`
	// Environment variable that holds the password.
	ReplicationPasswordEnv string `yaml:"replication_password_env"`
	// Bound on dialling and logging in. It is several round trips: give distant servers more.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// Bound on one exchange of questions and answers over a connection that is open.
	Timeout time.Duration `yaml:"timeout"`
	TLS     TLS           `yaml:"tls"`
}

// TLS says how connections to the servers are encrypted.
type TLS struct {
	// `disabled`; `preferred`: encrypted where the server can, without asking who it is; or `verify`: encrypted, and the server must prove
	// that it is the one it was dialled as.
	Mode string `yaml:"mode"`
	// Certificates of the authorities to trust, in PEM. Without it those of the system are trusted. It needs `mode: verify`.
	CAFile string `yaml:"ca_file"`
	// Certificate with which Baton identifies itself, in PEM. It is read for every new connection.
	CertFile string `yaml:"cert_file"`
	// Key of that certificate.
	KeyFile string `yaml:"key_file"`
	// Name that the certificates of all servers carry. Without it each must carry the host it was dialled by. It needs `mode: verify`.
	ServerName string `yaml:"server_name"`
}

// Discovery says which servers are watched. From one server of a cluster the others are found, along replication in both directions.
type Discovery struct {
	// Servers to begin with, as host or host:port. More can be added at any time with `baton discover`.
	Seeds []topology.InstanceID `yaml:"seeds"`
	// Time between two probes of a server.
	Interval time.Duration `yaml:"interval"`
	// Servers to leave alone: regular expressions that must match all of host:port.
	Ignore []Pattern `yaml:"ignore"`
	// What becomes of a host name that a server or a person gave: `none` keeps it, `ip` and `cname` look it up. One server must not go by two
	// names.
	Resolve string `yaml:"resolve"`
	// Names by which servers are to be known instead of others: host to host, or host:port to host:port. It comes before `resolve`.
	Names map[string]string `yaml:"names"`
	// A server that has not answered for so long is forgotten.
	ForgetAfter time.Duration `yaml:"forget_after"`
	// Query whose one value names the cluster of the server that is asked.
	ClusterAliasQuery string `yaml:"cluster_alias_query"`
	// Query whose one value names the data centre of the server that is asked.
	DataCenterQuery string `yaml:"data_center_query"`
	// Query whose one value names the region of the server that is asked.
	RegionQuery string `yaml:"region_query"`
	// Query whose one value is the lag of the server that is asked, in seconds, such as one over a heartbeat table. It replaces what the
	// server itself says.
	LagQuery string `yaml:"lag_query"`
	// Servers probed at the same time, at most. 0 leaves it to Baton.
	Workers int `yaml:"workers"`
}

// Detection says how much evidence it takes to call something broken.
type Detection struct {
	// Attempts in a row that must be refused or time out before a server is down. A server whose connection broke is down at the first refusal.
	DownAfter int `yaml:"down_after"`
	// An attempt older than this says nothing any more.
	StaleAfter time.Duration `yaml:"stale_after"`
	// A replica that heard from its source within this time receives.
	FreshFor time.Duration `yaml:"fresh_for"`
	// A replica that has been trying to connect for so long has lost its source.
	LostAfter time.Duration `yaml:"lost_after"`
	// By how much the loss may precede the last sign of life of the source and still be a sign of its death.
	Slack time.Duration `yaml:"slack"`
	// How long after its source began to fail a replica may still be receiving what was on its way.
	Settle time.Duration `yaml:"settle"`
	// How long a server under suspicion is probed as fast as it answers.
	SuspicionFor time.Duration `yaml:"suspicion_for"`
	// A replica that is further behind than this, its configured delay subtracted, lags.
	LagThreshold time.Duration `yaml:"lag_threshold"`
	// So many half answered probes in a row are a finding.
	HalfAnswers int `yaml:"half_answers"`
	// Failures that begin within this time are one event.
	Together time.Duration `yaml:"together"`
	// So many servers must be lost together before Baton suspects its own network.
	IsolatedAtLeast int `yaml:"isolated_at_least"`
	// With more primaries than this down together, Baton stops acting and calls a person.
	StormPrimaries int `yaml:"storm_primaries"`
	// The same, with more than this share of a region, a data centre or the fleet down together.
	StormShare float64 `yaml:"storm_share"`
	// The share counts where at least so many servers are down.
	StormAtLeast int `yaml:"storm_at_least"`
	// Co-primaries may both be writable.
	MultiWriter bool `yaml:"multi_writer"`
	// A primary without replicas is a finding even where it never had any.
	ExpectReplicas bool `yaml:"expect_replicas"`
	// A primary that is read-only without reason may be opened.
	OpenPrimary bool `yaml:"open_primary"`
	// A replica that is writable may be made read-only.
	SetReadOnly bool `yaml:"set_read_only"`
	// Of two writable co-primaries, the one that does not lead may be made read-only.
	FenceSecondWriter bool `yaml:"fence_second_writer"`
}

// Recovery says what Baton may do, and when it must not. It holds for every cluster, except for what an entry of `clusters` says otherwise.
type Recovery struct {
	// How far Baton goes by itself: `observe` only finds, `recommend` also shows what it would do, `approve` is to do it once a person agrees and is `recommend` in this version, `auto`
	// does it.
	Autonomy remediation.Autonomy `yaml:"autonomy"`
	// After a recovery, no other of the same kind in the same cluster begins by itself for so long, unless the first is acknowledged.
	Cooldown time.Duration `yaml:"cooldown"`
	// A replica further behind than this is not taken for a planned takeover.
	MaxLag time.Duration `yaml:"max_lag"`
	// How long a planned takeover may keep the cluster from being written to. After that it is undone.
	WriteBlock time.Duration `yaml:"write_block"`
	// A replica that applies nothing for so long, of what it must apply before it is promoted, is given up.
	DrainStall time.Duration `yaml:"drain_stall"`
	// With so many transactions to apply, a replica does it with relaxed durability, which is put back before it is promoted. 0 never relaxes.
	RelaxAbove uint64 `yaml:"relax_above"`
	// Never fail over to another region.
	SameRegion bool `yaml:"same_region"`
	// Never fail over to another data centre.
	SameDataCenter bool `yaml:"same_data_center"`
	// An old primary that comes back, and has nothing the cluster lacks, becomes a replica by itself.
	RejoinDeposed bool `yaml:"rejoin_deposed"`
	// Gates that need not pass: `cooldown`, `errant`, `followers`, `geography`, `holds_everything`, `lag`, `primary_position`,
	// `semi_sync_promise`, `unacknowledged`. Some of them stand between a failover and lost transactions.
	Allow []remediation.GateName `yaml:"allow"`
}

// Cluster is one cluster that differs. It may say anew what `recovery` says, and takes from there what it does not. An entry is for the cluster
// of its name, or else for the one most of whose servers it matches.
type Cluster struct {
	// Name of the cluster, and the name it gets when Baton first sees it.
	Name string `yaml:"name"`
	// Its servers: regular expressions that must match all of host:port.
	Match []Pattern `yaml:"match"`
	// The same as in `detection`, for this cluster.
	LagThreshold time.Duration `yaml:"lag_threshold"`

	Recovery `yaml:",inline"`
}

// Ledger says how the nodes of Baton agree on what operators asked for and what was done. A single node needs nothing of it.
type Ledger struct {
	// Address on which this node listens for the others, such as 0.0.0.0:8307. It is needed with `peers`, and only then.
	Listen string `yaml:"listen"`
	// How long a follower waits for a word of the leader before it stands for election.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// How long a candidate waits for votes. No shorter than `heartbeat`.
	Election time.Duration `yaml:"election"`
	// How long a leader goes on without a majority before it steps down. No longer than `heartbeat`, or two nodes could lead at once.
	Lease time.Duration `yaml:"lease"`
	// All nodes, this one among them, the same list on each.
	Peers []Peer `yaml:"peers"`
}

// Peer is one node of Baton.
type Peer struct {
	// Name of the node: its `node`.
	ID string `yaml:"id"`
	// Its host:port for the other nodes.
	Address string `yaml:"address"`
	// URL of its API: its `advertise_url`.
	API string `yaml:"api"`
}
