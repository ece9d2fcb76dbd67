package analysis

import "time"

// Rules about co-primaries and intermediate sources.

var (
	// DeadCoPrimary leaves its peer.
	DeadCoPrimary = &Rule{
		Name:    "DeadCoPrimary",
		Summary: "One of co-primaries is down and every replica that can tell, its peer among them, has lost it.",
		Advice: "The other becomes the only primary and takes over the replicas, unless automation is held back. " +
			"Check the dead one before it rejoins.",
		Severity:     Critical,
		When:         []Condition{isCoPrimary, isDown, allReplicasUp, noneConnected, someLostIt},
		MasksBelow:   consequences,
		Recovery:     RecoveryPromotePeer,
		Why:          whyUnreachable,
		Orchestrator: "DeadCoMaster",
	}

	// DeadCoPrimaryAndSomeReplicas is DeadCoPrimary with fewer witnesses.
	DeadCoPrimaryAndSomeReplicas = &Rule{
		Name:         "DeadCoPrimaryAndSomeReplicas",
		Summary:      "One of co-primaries and some of its replicas do not answer, and every replica that can tell has lost it.",
		Advice:       "The other becomes the only primary, if it is one of those that answer, unless automation is held back.",
		Severity:     Critical,
		When:         []Condition{isCoPrimary, isDown, notAllUp, noneConnected, someLostIt},
		MasksBelow:   consequences,
		Recovery:     RecoveryPromotePeer,
		Why:          whyUnreachable,
		Orchestrator: "DeadCoMasterAndSomeReplicas",
	}

	// UnreachableCoPrimary is every other case of a co-primary that does not answer.
	UnreachableCoPrimary = &Rule{
		Name:    "UnreachableCoPrimary",
		Summary: "One of co-primaries does not answer, but is not proven dead.",
		Advice: "Everybody is probed again and the other nodes are asked; receivers that are connected and silent are restarted. " +
			"Check the network between Baton and the instance.",
		Severity:     Critical,
		When:         []Condition{isCoPrimary, isUnreachable, isUnproven},
		MasksBelow:   consequences,
		Recovery:     RecoveryReprobe,
		Why:          whyUnreachable,
		Orchestrator: "UnreachableCoMaster",
	}

	// NoCoPrimaryReplicaReplicating is a circle that stands still.
	NoCoPrimaryReplicaReplicating = &Rule{
		Name:     "NoCoPrimaryReplicaReplicating",
		Summary:  "One of co-primaries is up and none of its replicas, its peer among them, replicates.",
		Advice:   "What is written here reaches nobody. See what stopped the replicas.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{isCoPrimary, isUp, someReplicaUp, noneReplicates},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "AllCoMasterReplicasNotReplicating",
	}

	// BothCoPrimariesWritable points at the writer that does not lead.
	BothCoPrimariesWritable = &Rule{
		Name:     "BothCoPrimariesWritable",
		Summary:  "More than one of co-primaries takes writes, and the policy wants one writer.",
		Advice:   "Conflicting writes stop replication on both sides. The one that does not lead is fenced only where the policy says so.",
		Severity: Warning, For: 10 * time.Second,
		When:     []Condition{isCoPrimary, isNotLeader, isUp, isWritable, leaderWritable, singleWriter},
		Recovery: RecoveryFence,
		Given:    []Condition{mayFence, leaderAgreed},
		Why:      whyWrites,
	}

	// DeadIntermediateSource cuts a branch off.
	DeadIntermediateSource = &Rule{
		Name:         "DeadIntermediateSource",
		Summary:      "An intermediate source is down and every replica of it that can tell has lost it.",
		Advice:       "Its replicas are moved to other sources, unless automation is held back. Bring the server back, or retire it.",
		Severity:     Critical,
		When:         []Condition{isIntermediate, isDown, hasMoreThanOne, allReplicasUp, noneConnected, someLostIt},
		MasksBelow:   consequences,
		Recovery:     RecoveryRelocate,
		Why:          whyUnreachable,
		Orchestrator: "DeadIntermediateMaster",
	}

	// DeadIntermediateSourceWithSingleReplicaFailingToConnect has one witness.
	DeadIntermediateSourceWithSingleReplicaFailingToConnect = &Rule{
		Name:         "DeadIntermediateSourceWithSingleReplicaFailingToConnect",
		Summary:      "An intermediate source is down and its only replica has lost it.",
		Advice:       "The replica is moved to another source, unless automation is held back. Bring the server back, or retire it.",
		Severity:     Critical,
		When:         []Condition{isIntermediate, isDown, hasOneReplica, someLostIt},
		MasksBelow:   consequences,
		Recovery:     RecoveryRelocate,
		Why:          whyUnreachable,
		Orchestrator: "DeadIntermediateMasterWithSingleReplicaFailingToConnect",
	}

	// DeadIntermediateSourceWithSingleReplica has no witness.
	DeadIntermediateSourceWithSingleReplica = &Rule{
		Name:         "DeadIntermediateSourceWithSingleReplica",
		Summary:      "An intermediate source is down and its only replica does not receive, but cannot tell why.",
		Advice:       "Nothing is moved without a witness. Start the receiver of the replica: then it can tell.",
		Severity:     Critical,
		When:         []Condition{isIntermediate, isDown, hasOneReplica, someMute},
		Masks:        []*Rule{UnreachableIntermediateSource},
		Recovery:     RecoveryNone,
		Why:          whyUnreachable,
		Orchestrator: "DeadIntermediateMasterWithSingleReplica",
	}

	// DeadIntermediateSourceAndSomeReplicas is DeadIntermediateSource with fewer witnesses.
	DeadIntermediateSourceAndSomeReplicas = &Rule{
		Name:         "DeadIntermediateSourceAndSomeReplicas",
		Summary:      "An intermediate source and some of its replicas do not answer, and every replica that can tell has lost it.",
		Advice:       "The replicas that answer are moved to other sources, unless automation is held back.",
		Severity:     Critical,
		When:         []Condition{isIntermediate, isDown, notAllUp, noneConnected, someLostIt},
		MasksBelow:   consequences,
		Recovery:     RecoveryRelocate,
		Why:          whyUnreachable,
		Orchestrator: "DeadIntermediateMasterAndSomeReplicas",
	}

	// DeadIntermediateSourceAndReplicas leaves nobody to move.
	DeadIntermediateSourceAndReplicas = &Rule{
		Name:         "DeadIntermediateSourceAndReplicas",
		Summary:      "Neither an intermediate source nor any of its replicas answers.",
		Advice:       "There is nobody to move. Check the network and the hosts of the whole branch.",
		Severity:     Critical,
		When:         []Condition{isIntermediate, isDown, hasReplicas, noReplicaUp},
		Masks:        []*Rule{UnreachableIntermediateSource},
		MasksBelow:   []*Rule{DeadReplica, ReplicaSaturated, ReplicaDeniesProbe, HalfAnsweringReplica},
		Recovery:     RecoveryNone,
		Why:          whyUnreachable,
		Orchestrator: "DeadIntermediateMasterAndReplicas",
	}

	// UnreachableIntermediateSourceWithLaggingReplicas cannot trust testimonies that are old.
	UnreachableIntermediateSourceWithLaggingReplicas = &Rule{
		Name:         "UnreachableIntermediateSourceWithLaggingReplicas",
		Summary:      "An intermediate source does not answer and all of its replicas lag, so that what they say of it may be old.",
		Advice:       "The receivers of the replicas are restarted, so that each tests its connection. Nothing is moved on this evidence.",
		Severity:     Warning,
		When:         []Condition{isIntermediate, isUnreachable, someConnected, allLag, notAllDelayed},
		Masks:        []*Rule{UnreachableIntermediateSource},
		MasksBelow:   consequences,
		Recovery:     RecoveryRestartReceivers,
		Why:          whyUnreachable,
		Orchestrator: "UnreachableIntermediateMasterWithLaggingReplicas",
	}

	// UnreachableIntermediateSource is every other case of an intermediate source that does not answer.
	UnreachableIntermediateSource = &Rule{
		Name:    "UnreachableIntermediateSource",
		Summary: "An intermediate source does not answer, but is not proven dead.",
		Advice: "Everybody is probed again and the other nodes are asked; receivers that are connected and silent are restarted. " +
			"Check the network between Baton and the instance.",
		Severity:     Warning,
		When:         []Condition{isIntermediate, isUnreachable, isUnproven},
		MasksBelow:   consequences,
		Recovery:     RecoveryReprobe,
		Why:          whyUnreachable,
		Orchestrator: "UnreachableIntermediateMaster",
	}

	// AllIntermediateSourceReplicasFailingToConnectOrDead is a source that answers only us.
	AllIntermediateSourceReplicasFailingToConnectOrDead = &Rule{
		Name:     "AllIntermediateSourceReplicasFailingToConnectOrDead",
		Summary:  "An intermediate source is up for Baton, and none of its replicas can connect to it.",
		Advice:   "Its replicas are moved to other sources, unless automation is held back. Check the network between them, and the replication account.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{isIntermediate, isUp, hasMoreThanOne, someReplicaUp, allCutOff},
		Masks:        []*Rule{NoIntermediateSourceReplicaReplicating, ReplicaLostInRecovery, WrongSource},
		MasksBelow:   consequences,
		Recovery:     RecoveryRelocate,
		Why:          whyReplicas,
		Orchestrator: "AllIntermediateMasterReplicasFailingToConnectOrDead",
	}

	// NoIntermediateSourceReplicaReplicating is a branch that stands still.
	NoIntermediateSourceReplicaReplicating = &Rule{
		Name:     "NoIntermediateSourceReplicaReplicating",
		Summary:  "An intermediate source is up and none of its replicas replicates.",
		Advice:   "The whole branch grows old. See what stopped the replicas.",
		Severity: Warning, For: 10 * time.Second,
		When:         []Condition{isIntermediate, isUp, someReplicaUp, noneReplicates},
		Recovery:     RecoveryNone,
		Why:          whyReplicas,
		Orchestrator: "AllIntermediateMasterReplicasNotReplicating",
	}
)
