package analysis

import "time"

// Rules about who takes writes, and about primaries that are up and badly served.

var (
	// SplitBrain points at the writer that is not the primary.
	SplitBrain = &Rule{
		Name:    "SplitBrain",
		Summary: "Two instances of one lineage are up and take writes, and neither follows the other.",
		Advice: "The one that is not the primary agreed on last is made read-only. Where the ledger does not know the primary, or it is not certain that they are of one lineage, a person decides. " +
			"Writes that both have taken must be merged by hand.",
		Severity: Critical,
		When:     []Condition{isRoot, isNotLeader, isUp, isWritable, leaderWritable, mayShareLineage},
		Masks:    []*Rule{DeposedPrimaryReturned, ReplicaLostInRecovery, DetachedInstance},
		Recovery: RecoveryFence,
		Given:    []Condition{leaderAgreed, sharesLineage},
		Why:      whyWrites,
	}

	// DeposedPrimaryReturned keeps an old primary from being taken for the primary.
	DeposedPrimaryReturned = &Rule{
		Name:    "DeposedPrimaryReturned",
		Summary: "A primary that a recovery replaced is up again, and does not follow its successor or takes writes.",
		Advice: "It is made read-only at once and then follows the primary, if it holds nothing that the primary lacks; otherwise it is quarantined. " +
			"Compare its transactions before you repair it by hand.",
		Severity: Critical,
		When:     []Condition{isDeposed, isUp, isNotReformed},
		Masks: []*Rule{
			AllIntermediateSourceReplicasFailingToConnectOrDead, ReplicaLostInRecovery, WritableReplica, ReceiverStopped, ReceiverBroken,
			ApplierStopped,
		},
		Recovery: RecoveryFence,
		Why:      whyWrites,
	}

	// PrimaryNotWritable is an outage of writes with every server up.
	PrimaryNotWritable = &Rule{
		Name:     "PrimaryNotWritable",
		Summary:  "The primary is up and read-only, and nobody is working on it.",
		Advice:   "It is opened only where the policy says so. Find out who closed it, and why, before you open it.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{isLeader, isUp, isReadOnly, someReceives, noPeerWritable, noRecoveryOpen, noMaintenance},
		Recovery:     RecoveryOpenPrimary,
		Given:        []Condition{mayOpen},
		Why:          whyWrites,
		Orchestrator: "NoWriteableMasterStructureWarning",
	}

	// PrimarySingleReplicaNotReplicating is a primary whose only copy stands still.
	PrimarySingleReplicaNotReplicating = &Rule{
		Name:     "PrimarySingleReplicaNotReplicating",
		Summary:  "The primary is up and its only replica does not replicate.",
		Advice:   "If the primary died now, all writes since would be lost. See what stopped the replica.",
		Severity: Warning, For: 10 * time.Second,
		When:         []Condition{isPrimary, isUp, hasOneReplica, someReplicaUp, noneReplicates},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "MasterSingleReplicaNotReplicating",
	}

	// PrimarySingleReplicaDead is a primary without a copy.
	PrimarySingleReplicaDead = &Rule{
		Name:     "PrimarySingleReplicaDead",
		Summary:  "The primary is up and its only replica is down.",
		Advice:   "If the primary died now, nobody could be promoted. Bring the replica back.",
		Severity: Warning, For: 10 * time.Second,
		When:         []Condition{isPrimary, isUp, hasOneReplica, itsReplicaDead},
		MasksBelow:   []*Rule{DeadReplica},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "MasterSingleReplicaDead",
	}

	// NoPrimaryReplicaReplicating has many copies that all stand still.
	NoPrimaryReplicaReplicating = &Rule{
		Name:     "NoPrimaryReplicaReplicating",
		Summary:  "The primary and all of its replicas are up, and none of them replicates.",
		Advice:   "If the primary died now, all writes since would be lost. What stopped all replicas is often one thing: an account, a certificate, a purged binary log.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{isPrimary, isUp, hasMoreThanOne, allReplicasUp, noneReplicates},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "AllMasterReplicasNotReplicating",
	}

	// NoPrimaryReplicaReplicatingOrDead is the same with some of them gone.
	NoPrimaryReplicaReplicatingOrDead = &Rule{
		Name:     "NoPrimaryReplicaReplicatingOrDead",
		Summary:  "The primary is up, some of its replicas are down, and none of the others, if there are any, replicates.",
		Advice:   "If the primary died now, all writes since would be lost. Bring back one replica first.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{isPrimary, isUp, hasMoreThanOne, itsReplicaDead, allIdleOrDead},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "AllMasterReplicasNotReplicatingOrDead",
	}

	// PrimaryWithoutReplicas has lost all that could replace it.
	PrimaryWithoutReplicas = &Rule{
		Name:     "PrimaryWithoutReplicas",
		Summary:  "The primary is up and nobody follows it, although somebody did or should.",
		Advice:   "If the primary died now, nobody could be promoted. Attach a replica, or forget the members that are gone for good.",
		Severity: Warning, For: time.Minute,
		When:         []Condition{isPrimary, isUp, isLeaf, expectsReplicas},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "MasterWithoutReplicas",
	}

	// NoLoggingReplicas means that after a failover nobody could follow the new primary.
	NoLoggingReplicas = &Rule{
		Name:     "NoLoggingReplicas",
		Summary:  "No replica of the primary logs what it applies, so that none could become a source.",
		Advice:   "Set log_bin and log_replica_updates on the replicas that may be promoted.",
		Severity: Warning, For: time.Minute,
		When:         []Condition{isPrimary, hasMoreThanOne, someReplicaUp, noneLogs},
		Recovery:     RecoveryNone,
		Why:          whyLogging,
		Orchestrator: "NoLoggingReplicasStructureWarning",
	}

	// MissingGrants is found before somebody has to find it out in an outage.
	MissingGrants = &Rule{
		Name:     "MissingGrants",
		Summary:  "Baton's account lacks rights on an instance that it needs to see or to repair it.",
		Advice:   "Run the statements that the finding names on the primary of the cluster; they replicate.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isUp, lacksGrants},
		Recovery: RecoveryNone,
		Why:      whyLacksGrants,
	}
)
