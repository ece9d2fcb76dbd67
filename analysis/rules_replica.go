package analysis

import "time"

// Rules about one replica.

var (
	// ReplicaLostInRecovery reminds of what a recovery could not bring along.
	ReplicaLostInRecovery = &Rule{
		Name:     "ReplicaLostInRecovery",
		Summary:  "A replica that a recovery could not bring along is up and still waits to be repaired.",
		Advice:   "It rejoins where that is safe. Otherwise compare its transactions with the primary's, and rebuild it.",
		Severity: Warning,
		When:     []Condition{isQuarantined, isUp},
		Masks:    []*Rule{FirstTierReplicaFailingToConnectToPrimary, ReceiverStopped, ReceiverBroken, ApplierStopped, ApplierBroken, LaggingReplica},
		Recovery: RecoveryRejoin,
		Why:      whyQuarantined,
	}

	// WrongSource is a replica that went its own way.
	WrongSource = &Rule{
		Name:     "WrongSource",
		Summary:  "A replica follows something that does not lead to the primary agreed on last.",
		Advice:   "It is pointed at the primary, unless automation is held back. It was probably down, or overlooked, when the primary changed.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isReplicaOrSource, isUp, leaderAgreed, followsStray, isNotDeposed, isNotInDoubt, noRecoveryOpen},
		Masks:    []*Rule{FirstTierReplicaFailingToConnectToPrimary, ReceiverStopped, ReceiverBroken, LaggingReplica},
		Recovery: RecoveryRepoint,
		Why:      whyWrites,
	}

	// DetachedInstance is a member that follows nobody.
	DetachedInstance = &Rule{
		Name:     "DetachedInstance",
		Summary:  "An instance of the cluster is up and follows nobody, although it does not lead.",
		Advice:   "It grows old and is of no use. Compare its transactions with the primary's; then let it follow the primary, or forget it.",
		Severity: Warning, For: time.Minute,
		When:     []Condition{isRoot, isNotLeader, isUp, leaderAgreed, isNotDeposed, isNotInDoubt, noRecoveryOpen},
		Recovery: RecoveryNone,
		Why:      whyWrites,
	}

	// FirstTierReplicaFailingToConnectToPrimary may be the first sign of a failing primary.
	FirstTierReplicaFailingToConnectToPrimary = &Rule{
		Name:         "FirstTierReplicaFailingToConnectToPrimary",
		Summary:      "A direct replica of the primary cannot connect to it, although the primary is alive.",
		Advice:       "The primary is probed again at once. If it stays alive, check the network between the two, and the replication account.",
		Severity:     Warning,
		When:         []Condition{isFirstTier, isCutOff, sourceAlive},
		Masks:        []*Rule{ReceiverBroken},
		Recovery:     RecoveryReprobe,
		Why:          whyReceiver,
		Orchestrator: "FirstTierReplicaFailingToConnectToMaster",
	}

	// DeadReplica is a server less.
	DeadReplica = &Rule{
		Name:     "DeadReplica",
		Summary:  "An instance that takes no writes and has no replicas is down.",
		Advice:   "Nothing depends on it but its readers and the next failover. Bring it back, or forget it.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isSubordinate, isUnreachable, isLeaf},
		Recovery: RecoveryNone,
		Why:      whyUnreachable,
	}

	// ReplicaSaturated is alive and useless to Baton.
	ReplicaSaturated = &Rule{
		Name:     "ReplicaSaturated",
		Summary:  "A replica is alive and has no room for another connection.",
		Advice:   "Baton cannot see how it replicates, and it cannot be promoted. Find out who holds the connections.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isSubordinate, isSaturated},
		Recovery: RecoveryNone,
		Why:      whyAnswers,
	}

	// ReplicaDeniesProbe is a blind spot.
	ReplicaDeniesProbe = &Rule{
		Name:     "ReplicaDeniesProbe",
		Summary:  "A replica is alive and does not let Baton in.",
		Advice:   "Baton cannot see how it replicates, and it cannot be promoted. Check the password, the host and the grants of Baton's account.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isSubordinate, isDenied},
		Recovery: RecoveryNone,
		Why:      whyAnswers,
	}

	// HalfAnsweringReplica accepts connections and does not finish.
	HalfAnsweringReplica = &Rule{
		Name:     "HalfAnsweringReplica",
		Summary:  "A replica accepts connections and leaves questions unanswered, again and again.",
		Advice:   "Baton cannot see how it replicates, and it cannot be promoted. Look for a full disk, a global lock, an overloaded server or a missing grant.",
		Severity: Warning,
		When:     []Condition{isSubordinate, isPartial, isPartialAgain},
		Recovery: RecoveryNone,
		Why:      whyAnswers,
	}

	// ReceiverStopped was stopped by somebody.
	ReceiverStopped = &Rule{
		Name:     "ReceiverStopped",
		Summary:  "A replica was told to receive nothing.",
		Advice:   "Somebody stopped it: ask who, and start it again. As long as it stands still it is no candidate and no witness.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isUp, receiverHalted},
		Masks:    []*Rule{ApplierStopped, LaggingReplica},
		Recovery: RecoveryNone,
		Why:      whyReceiver,
	}

	// ReceiverBroken cannot receive.
	ReceiverBroken = &Rule{
		Name:    "ReceiverBroken",
		Summary: "A replica cannot receive because of an error.",
		Advice: "Error 1236 means that the source no longer has the binary logs it needs: rebuild it. 1045 means that the replication account is refused. " +
			"After the cause is gone, start the receiver.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isUp, receiverFailed},
		Masks:    []*Rule{LaggingReplica},
		Recovery: RecoveryNone,
		Why:      whyReceiver,
	}

	// ApplierStopped was stopped by somebody.
	ApplierStopped = &Rule{
		Name:     "ApplierStopped",
		Summary:  "A replica was told to apply nothing.",
		Advice:   "Somebody stopped it: ask who, and start it again. Until then it only collects what it receives.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isUp, applierHalted},
		Masks:    []*Rule{LaggingReplica},
		Recovery: RecoveryNone,
		Why:      whyApplier,
	}

	// ApplierBroken met a transaction that it cannot apply.
	ApplierBroken = &Rule{
		Name:    "ApplierBroken",
		Summary: "A replica stopped at a transaction that it could not apply.",
		Advice: "Errors 1032 and 1062 mean that its data differ from the source's: rebuild it rather than skip. " +
			"Others name what is missing, often room, memory or a schema change.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isUp, applierFailed},
		Masks:    []*Rule{LaggingReplica},
		Recovery: RecoveryNone,
		Why:      whyApplier,
	}

	// LaggingReplica is behind.
	LaggingReplica = &Rule{
		Name:     "LaggingReplica",
		Summary:  "A replica is further behind its source than the policy allows.",
		Advice:   "Its readers see old data and a failover to it takes longer. Look for long transactions, missing keys, or too few applier workers.",
		Severity: Warning, For: 30 * time.Second,
		When:     []Condition{isUp, lags},
		Recovery: RecoveryNone,
		Why:      whyLags,
	}

	// WritableReplica waits for an errant transaction.
	WritableReplica = &Rule{
		Name:     "WritableReplica",
		Summary:  "A replica takes writes of its own.",
		Advice:   "Whatever is written here makes it differ from its source. It is made read-only only where the policy says so.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isReplicaOrSource, isUp, isWritable},
		Recovery: RecoverySetReadOnly,
		Given:    []Condition{maySetReadOnly},
		Why:      whyWrites,
	}
)
