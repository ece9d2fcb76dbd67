package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// server is one line of the notation: an observation without its channels, and what is wanted of the instance.
type server struct {
	at      time.Time
	heading string // name of the cluster line above
	named   bool   // the ledger knows it
	follows bool   // it has a channel

	o           Observation
	promotion   PromotionRule
	downtime    *Hold
	maintenance *Hold
	deposed     *Deposed
	quarantined *Quarantine
}

func (s *server) answered() bool { return !s.o.Facts.At.IsZero() }

func now(s *server) time.Time { return s.at }

// serverWords are the words of an instance, in the order in which they are written.
var serverWords = slices.Concat(reachWords, aboutFacts(slices.Concat(identityWords, settingWords, semiSyncWords)), wishWords)

func aboutFacts(words []phrase[*server]) []phrase[*server] {
	for n := range words {
		words[n].facts = true
	}
	return words
}

var reachWords = []phrase[*server]{
	{
		values: []string{"up", "down", "partial", "saturated", "denied", "refused", "timeout", "unknown"},
		preset: func(s *server) { s.o.Reach = ReachUp },
		show: func(s *server) (string, bool) {
			if s.o.Reach == ReachTimeout && s.o.Failures >= 2 {
				return "down", true
			}
			return s.o.Reach.String(), true
		},
		read: func(s *server, v string) error {
			if v == "down" {
				s.o.Reach, s.o.Failures = ReachTimeout, 2
				return nil
			}
			return s.o.Reach.UnmarshalText([]byte(v))
		},
	},
	numberWord("failures", func(s *server) *int { return &s.o.Failures }).or(func(s *server) {
		if s.o.Reach.Unreachable() && s.o.Failures == 0 {
			s.o.Failures = 1
		}
	}),
	numberWord("partials", func(s *server) *int { return &s.o.Partials }).or(func(s *server) {
		if s.o.Reach == ReachPartial {
			s.o.Partials = 1
		}
	}),
	numberWord("errno", func(s *server) *int { return &s.o.Errno }),
	textWord("error", func(s *server) *string { return &s.o.Error }),
	durationWord("took", func(s *server) *time.Duration { return &s.o.Took }),
	ageWord("attempted", now, func(s *server) *time.Time { return &s.o.Attempted }).or(func(s *server) {
		if s.o.Reach != ReachUnknown {
			s.o.Attempted = s.at
		}
	}),
	ageWord("since", now, func(s *server) *time.Time { return &s.o.FailingSince }).or(func(s *server) {
		switch {
		case s.o.Reach.Unreachable() && s.o.Failures >= 2:
			s.o.FailingSince = s.at.Add(-10 * time.Second)
		case s.o.Reach.Unreachable():
			s.o.FailingSince = s.at.Add(-time.Second)
		}
	}),
	{
		key: "sentinel_fell", bare: true,
		show: func(s *server) (string, bool) {
			switch at := s.o.SentinelFell; {
			case at.IsZero():
				return "never", true
			case showAge(s.at, at) == showAge(s.at, s.o.FailingSince):
				return "", true
			}
			return showAge(s.at, s.o.SentinelFell), true
		},
		read: func(s *server, v string) (err error) {
			if v == "" {
				if s.o.SentinelFell = s.o.FailingSince; s.o.SentinelFell.IsZero() {
					return errors.New("it does not fail, so say how long ago: sentinel_fell=2s")
				}
				return nil
			}
			s.o.SentinelFell, err = readAge(s.at, v)
			return err
		},
	},
	ageWord("seen", now, func(s *server) *time.Time { return &s.o.Facts.At }).or(func(s *server) {
		switch {
		case s.o.Reach == ReachUp:
			s.o.Facts.At = s.o.Attempted
		case s.o.Reach.Alive():
			s.o.Facts.At = s.at.Add(-10 * time.Second)
		case s.o.Reach.Unreachable() && !s.o.FailingSince.IsZero():
			s.o.Facts.At = s.o.FailingSince.Add(-time.Second)
		}
	}),
}

var identityWords = []phrase[*server]{
	{
		key:    "version",
		preset: func(s *server) { s.o.Facts.Version = Version{Flavor: FlavorMySQL, Major: 9, Minor: 7, Patch: 4} },
		show:   func(s *server) (string, bool) { return showVersion(s.o.Facts.Version), true },
		read: func(s *server, v string) (err error) {
			s.o.Facts.Version, err = readVersion(v)
			return err
		},
	},
	numberWord("server_id", func(s *server) *uint32 { return &s.o.Facts.ServerID }).
		or(func(s *server) { s.o.Facts.ServerID = madeUpID(s.o.Instance) }),
	uuidWord("uuid", func(s *server) *string { return &s.o.Facts.ServerUUID }).or(func(s *server) {
		if !s.o.Facts.Version.IsMariaDB() {
			s.o.Facts.ServerUUID = madeUpUUID(s.o.Instance)
		}
	}),
	textWord("hostname", func(s *server) *string { return &s.o.Facts.Hostname }),
	textWord("report_host", func(s *server) *string { return &s.o.Facts.ReportHost }),
	textWord("dc", func(s *server) *string { return &s.o.Facts.DataCenter }),
	textWord("region", func(s *server) *string { return &s.o.Facts.Region }),
	textWord("cluster_alias", func(s *server) *string { return &s.o.Facts.ClusterAlias }).or(func(s *server) {
		if !s.named && !strings.Contains(s.heading, ":") {
			s.o.Facts.ClusterAlias = s.heading
		}
	}),
}

func showVersion(v Version) string {
	if v.IsZero() {
		return "none"
	}
	text := v.String()
	if again, err := ParseVersion(text, ""); err == nil && again.Flavor == v.Flavor {
		return text
	}
	return text + "/" + string(v.Flavor)
}

func readVersion(text string) (Version, error) {
	if text == "none" {
		return Version{}, nil
	}
	comment := ""
	if at := strings.LastIndexByte(text, '/'); at >= 0 {
		text, comment = text[:at], text[at+1:]
	}
	v, err := ParseVersion(text, comment)
	if err == nil && comment != "" && v.Flavor != Flavor(comment) {
		return Version{}, fmt.Errorf("%q is no flavour of servers; did you mean %q?", comment,
			nearest(comment, []string{string(FlavorMySQL), string(FlavorPercona), string(FlavorMariaDB)}))
	}
	return v, err
}

var settingWords = []phrase[*server]{
	{
		values: []string{"read_only", "super_read_only", "writable"},
		preset: func(s *server) { s.o.Facts.ReadOnly = s.follows },
		show: func(s *server) (string, bool) {
			switch f := &s.o.Facts; {
			case f.SuperReadOnly:
				return "super_read_only", true
			case f.ReadOnly:
				return "read_only", true
			}
			return "writable", true
		},
		read: func(s *server, v string) error {
			s.o.Facts.ReadOnly, s.o.Facts.SuperReadOnly = v != "writable", v == "super_read_only"
			return nil
		},
	},
	flagWord("log_bin", "no_log_bin", func(s *server) *bool { return &s.o.Facts.LogBin }).
		or(func(s *server) { s.o.Facts.LogBin = true }),
	flagWord("log_replica_updates", "no_log_replica_updates", func(s *server) *bool { return &s.o.Facts.LogReplicaUpdates }).
		or(func(s *server) { s.o.Facts.LogReplicaUpdates = true }),
	textWord("format", func(s *server) *string { return &s.o.Facts.BinlogFormat }).or(func(s *server) { s.o.Facts.BinlogFormat = "ROW" }),
	placeWord("binlog", func(s *server) *Coordinates { return &s.o.Facts.Binlog }),
	flagWord("gtid", "no_gtid", func(s *server) *bool { return &s.o.Facts.GTID }).or(func(s *server) { s.o.Facts.GTID = true }),
	gtidWord("executed", func(s *server) *GTIDSet { return &s.o.Facts.Executed }),
	gtidWord("purged", func(s *server) *GTIDSet { return &s.o.Facts.Purged }),
	numberWord("sync_binlog", func(s *server) *int { return &s.o.Facts.SyncBinlog }).or(func(s *server) { s.o.Facts.SyncBinlog = 1 }),
	numberWord("flush_log", func(s *server) *int { return &s.o.Facts.FlushLogAtTrxCommit }).or(func(s *server) { s.o.Facts.FlushLogAtTrxCommit = 1 }),
	durationWord("net_timeout", func(s *server) *time.Duration { return &s.o.Facts.ReplicaNetTimeout }).
		or(func(s *server) { s.o.Facts.ReplicaNetTimeout = time.Minute }),
	idsWord("connected", func(s *server) *[]InstanceID { return &s.o.Facts.Replicas }),
	{
		key:  "missing_grants",
		show: func(s *server) (string, bool) { return orNone(strings.Join(s.o.Facts.MissingGrants, "; ")), true },
		read: func(s *server, v string) error {
			if s.o.Facts.MissingGrants = nil; v != "none" && v != "" {
				s.o.Facts.MissingGrants = strings.Split(v, "; ")
			}
			return nil
		},
	},
}

// semiState is how one side of semi-synchronous replication is written.
func semiState(key string, at func(s *server) (installed, enabled, active *bool)) phrase[*server] {
	values := []string{"none", "off", "fallen", "on"}
	return phrase[*server]{
		key: key, values: values,
		show: func(s *server) (string, bool) {
			installed, enabled, active := at(s)
			switch {
			case *enabled && *active:
				return "on", true
			case *enabled:
				return "fallen", true
			case *installed:
				return "off", true
			}
			return "none", true
		},
		read: func(s *server, v string) error {
			installed, enabled, active := at(s)
			switch v {
			case "none", "off", "fallen", "on":
				*installed, *enabled, *active = v != "none", v == "on" || v == "fallen", v == "on"
				return nil
			}
			return fmt.Errorf("want one of %s; did you mean %q?", strings.Join(values, ", "), nearest(v, values))
		},
	}
}

var semiSyncWords = []phrase[*server]{
	semiState("semisync_source", func(s *server) (installed, enabled, active *bool) {
		y := &s.o.Facts.SemiSync
		return &y.SourceInstalled, &y.SourceEnabled, &y.SourceActive
	}),
	numberWord("semisync_clients", func(s *server) *int { return &s.o.Facts.SemiSync.SourceClients }),
	numberWord("semisync_wait_for", func(s *server) *int { return &s.o.Facts.SemiSync.WaitFor }),
	numberWord("semisync_sessions", func(s *server) *int { return &s.o.Facts.SemiSync.WaitSessions }),
	durationWord("semisync_timeout", func(s *server) *time.Duration { return &s.o.Facts.SemiSync.Timeout }),
	semiState("semisync_replica", func(s *server) (installed, enabled, active *bool) {
		y := &s.o.Facts.SemiSync
		return &y.ReplicaInstalled, &y.ReplicaEnabled, &y.ReplicaActive
	}),
}
