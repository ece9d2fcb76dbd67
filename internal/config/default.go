package config

import (
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Default returns the configuration of an empty file. What another package decides by is taken from that package, so that there is one default.
func Default() File {
	patience, judge, repair := topology.DefaultPatience(), analysis.DefaultPolicy(), remediation.DefaultPolicy()
	return File{
		Listen:  "127.0.0.1:8306",
		DataDir: "/var/lib/baton",
		Log:     Log{Level: "info", Format: "text"},
		MySQL: MySQL{
			User:           "baton",
			ConnectTimeout: 500 * time.Millisecond,
			Timeout:        500 * time.Millisecond,
			TLS:            TLS{Mode: TLSPreferred},
		},
		Discovery: Discovery{
			Interval:    time.Second,
			Resolve:     "none",
			ForgetAfter: 240 * time.Hour,
		},
		Detection: Detection{
			DownAfter:  patience.DownAfter,
			StaleAfter: patience.StaleAfter,
			FreshFor:   patience.FreshFor,
			LostAfter:  patience.LostAfter,
			Slack:      patience.Slack,
			Settle:     patience.Settle,

			SuspicionFor: 5 * time.Second,

			LagThreshold:      judge.LagThreshold,
			HalfAnswers:       judge.HalfAnswers,
			Together:          judge.Together,
			IsolatedAtLeast:   judge.IsolatedAtLeast,
			StormPrimaries:    judge.StormPrimaries,
			StormShare:        judge.StormShare,
			StormAtLeast:      judge.StormAtLeast,
			MultiWriter:       judge.MultiWriter,
			ExpectReplicas:    judge.ExpectReplicas,
			OpenPrimary:       judge.OpenPrimary,
			SetReadOnly:       judge.SetReadOnly,
			FenceSecondWriter: judge.FenceSecondWriter,
		},
		Recovery: Recovery{
			Autonomy:       repair.Autonomy,
			Cooldown:       repair.Cooldown,
			MaxLag:         repair.MaxLag,
			WriteBlock:     repair.WriteBlock,
			DrainStall:     repair.DrainStall,
			RelaxAbove:     repair.RelaxAbove,
			SameRegion:     repair.SameRegion,
			SameDataCenter: repair.SameDC,
			RejoinDeposed:  repair.RejoinDeposed,
			Allow:          repair.Allow,
		},
		Ledger: Ledger{
			Heartbeat: ledger.DefaultHeartbeat,
			Election:  ledger.DefaultElection,
			Lease:     ledger.DefaultLease,
		},
	}
}
