package topology

import "time"

// Facts is what an instance said of itself the last time it answered every question.
type Facts struct {
	At time.Time `json:"at,omitzero"` // when the answer was complete, by the observer's clock; zero: it never answered

	Version    Version `json:"version,omitzero"`
	ServerID   uint32  `json:"server_id,omitempty"`
	ServerUUID string  `json:"server_uuid,omitempty"` // MariaDB has none: the observer leaves it empty
	Hostname   string  `json:"hostname,omitempty"`    // @@hostname
	ReportHost string  `json:"report_host,omitempty"` // @@report_host

	ReadOnly      bool `json:"read_only,omitempty"`
	SuperReadOnly bool `json:"super_read_only,omitempty"`

	LogBin            bool        `json:"log_bin,omitempty"`
	LogReplicaUpdates bool        `json:"log_replica_updates,omitempty"`
	BinlogFormat      string      `json:"binlog_format,omitempty"` // ROW, MIXED, STATEMENT
	Binlog            Coordinates `json:"binlog,omitzero"`         // where the instance writes its own log now

	GTID     bool      `json:"gtid,omitempty"`     // gtid_mode ON, or MariaDB
	Executed GTIDSet   `json:"executed,omitzero"`  // gtid_executed; MariaDB: gtid_slave_pos of a replica, gtid_current_pos joined with gtid_binlog_pos of others
	Purged   GTIDSet   `json:"purged,omitzero"`    // gtid_purged; MariaDB: unknown, empty
	Channels []Channel `json:"channels,omitempty"` // replication channels, the default one ("") first

	SemiSync SemiSync `json:"semi_sync,omitzero"`

	SyncBinlog          int           `json:"sync_binlog"`                    // 1 is durable
	FlushLogAtTrxCommit int           `json:"innodb_flush_log_at_trx_commit"` // 1 is durable
	ReplicaNetTimeout   time.Duration `json:"replica_net_timeout,omitempty"`  // how long a receiver waits in silence

	Replicas []InstanceID `json:"replicas,omitempty"` // who is connected as a replica, as far as the server can tell

	DataCenter   string `json:"data_center,omitempty"`
	Region       string `json:"region,omitempty"`
	ClusterAlias string `json:"cluster_alias,omitempty"`

	MissingGrants []string `json:"missing_grants,omitempty"` // each as the GRANT statement that would mend it
}

// SemiSync is the semi-synchronous replication of one instance, in both directions.
type SemiSync struct {
	SourceInstalled  bool          `json:"source_installed,omitempty"`
	SourceEnabled    bool          `json:"source_enabled,omitempty"` // the setting
	SourceActive     bool          `json:"source_active,omitempty"`  // the status: off when it fell back to asynchronous
	SourceClients    int           `json:"source_clients,omitempty"`
	WaitFor          int           `json:"wait_for,omitempty"` // acknowledgements a commit waits for
	WaitSessions     int           `json:"wait_sessions,omitempty"`
	Timeout          time.Duration `json:"timeout,omitempty"`
	ReplicaInstalled bool          `json:"replica_installed,omitempty"`
	ReplicaEnabled   bool          `json:"replica_enabled,omitempty"`
	ReplicaActive    bool          `json:"replica_active,omitempty"`
}

// Channel is one replication channel of a replica.
type Channel struct {
	Name       string     `json:"name,omitempty"` // "" is the default channel
	Source     InstanceID `json:"source"`
	SourceUUID string     `json:"source_uuid,omitempty"`

	Receiver      Receiver `json:"receiver"`
	ReceiverErrno int      `json:"receiver_errno,omitempty"`
	ReceiverError string   `json:"receiver_error,omitempty"`
	Applier       Applier  `json:"applier"`
	ApplierErrno  int      `json:"applier_errno,omitempty"`
	ApplierError  string   `json:"applier_error,omitempty"`

	AutoPosition bool        `json:"auto_position,omitempty"` // MySQL: SOURCE_AUTO_POSITION; MariaDB: Using_Gtid is not No
	Retrieved    GTIDSet     `json:"retrieved,omitzero"`      // what the receiver has; MariaDB: Gtid_IO_Pos
	Read         Coordinates `json:"read,omitzero"`           // how far the receiver has read the source's log
	Applied      Coordinates `json:"applied,omitzero"`        // how far the applier has executed the source's log

	Lag       time.Duration `json:"lag,omitempty"` // net of Delay; meaningful only when LagKnown
	LagKnown  bool          `json:"lag_known,omitempty"`
	Delay     time.Duration `json:"delay,omitempty"`
	Filtered  bool          `json:"filtered,omitempty"`  // replication filters are set
	Heartbeat time.Duration `json:"heartbeat,omitempty"` // SOURCE_HEARTBEAT_PERIOD, where known
	Beats     uint64        `json:"beats,omitempty"`     // a counter or time stamp of heartbeats; only its change has a meaning

	// What the observer derives from the probe before: both by the observer's clock, so that clocks of servers never matter.
	ReceiverSince time.Time `json:"receiver_since,omitzero"` // the receiver is in its present state since
	HeardAt       time.Time `json:"heard_at,omitzero"`       // last probe that saw the position or the heartbeat advance
}

// Attempt is one probe in the flight recorder.
type Attempt struct {
	At    time.Time     `json:"at"`
	Reach Reach         `json:"reach"`
	Errno int           `json:"errno,omitempty"`
	Took  time.Duration `json:"took"`
}

// Observation is all that one node knows of one instance: the newest attempt, and the last good facts carried along with it.
type Observation struct {
	Instance  InstanceID    `json:"instance"`
	Attempted time.Time     `json:"attempted,omitzero"` // end of the newest attempt
	Reach     Reach         `json:"reach"`              // its outcome
	Errno     int           `json:"errno,omitempty"`    // server or client error number, 0 where there is none
	Error     string        `json:"error,omitempty"`    // for people; never parsed
	Took      time.Duration `json:"took,omitempty"`

	Failures     int       `json:"failures,omitempty"`     // attempts in a row that were refused or timed out
	FailingSince time.Time `json:"failing_since,omitzero"` // the first of them
	Partials     int       `json:"partials,omitempty"`     // attempts in a row that were half answered
	SentinelFell time.Time `json:"sentinel_fell,omitzero"` // the idle connection to this source broke, and it has not answered since

	Facts   Facts     `json:"facts,omitzero"`
	History []Attempt `json:"history,omitempty"` // oldest first
}

// Vote is what another node answered when it was asked about an instance.
type Vote struct {
	Node     string     `json:"node"`
	Instance InstanceID `json:"instance"`
	Reach    Reach      `json:"reach"`
	Failures int        `json:"failures,omitempty"`
	At       time.Time  `json:"at"`
}

// Default returns the channel Baton judges and repairs: the default one, or the only one. The second result is false where there is none.
func (f *Facts) Default() (Channel, bool) {
	if c := f.DefaultChannel(); c != nil {
		return *c, true
	}
	return Channel{}, false
}

// DefaultChannel is Default without the copy: it returns nil where there is none, and what it returns must not be changed.
func (f *Facts) DefaultChannel() *Channel {
	for n := range f.Channels {
		if f.Channels[n].Name == "" {
			return &f.Channels[n]
		}
	}
	if len(f.Channels) == 1 {
		return &f.Channels[0]
	}
	return nil
}

// Received is all that the instance holds, applied or not: Retrieved ∪ Executed.
func (f *Facts) Received() GTIDSet {
	all := f.Executed
	for _, c := range f.Channels {
		all = all.Union(c.Retrieved)
	}
	return all
}
