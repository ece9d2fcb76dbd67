package analysis

import "time"

// Rules about primaries that do not answer. Between them they cover every case of a primary that is down, so that none stays silent.

// consequences are the findings on direct replicas that a source which cannot be reached brings with it.
var consequences = []*Rule{ReceiverBroken, LaggingReplica}

var (
	// DeadPrimaryWithoutReplicas cannot be repaired: there is nobody to promote.
	DeadPrimaryWithoutReplicas = &Rule{
		Name:         "DeadPrimaryWithoutReplicas",
		Summary:      "The primary is down and has no replicas.",
		Advice:       "Nobody can be promoted. Restart the server, or restore it from a backup.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, hasNoReplicas},
		Recovery:     RecoveryNone,
		Why:          whyUnreachable,
		Orchestrator: "DeadMasterWithoutReplicas",
	}

	// DeadPrimary is the clear case of a failover.
	DeadPrimary = &Rule{
		Name:    "DeadPrimary",
		Summary: "The primary is down and every replica that can tell has lost it.",
		Advice: "A replica is promoted, unless automation is held back; the other replicas then follow it. " +
			"Check the old primary before it rejoins: it may hold transactions that no replica received.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, allReplicasUp, noneConnected, someLostIt, leadsAlone},
		MasksBelow:   consequences,
		Recovery:     RecoveryFailover,
		Why:          whyUnreachable,
		Orchestrator: "DeadMaster",
	}

	// DeadPrimaryAndSomeReplicas is DeadPrimary with fewer witnesses.
	DeadPrimaryAndSomeReplicas = &Rule{
		Name:    "DeadPrimaryAndSomeReplicas",
		Summary: "The primary and some of its replicas do not answer, and every replica that can tell has lost it.",
		Advice: "A replica is promoted, unless automation is held back or a replica that does not answer could hold writes that were acknowledged. " +
			"Look for what the servers that fell together have in common.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, notAllUp, noneConnected, someLostIt, leadsAlone},
		MasksBelow:   consequences,
		Recovery:     RecoveryFailover,
		Why:          whyUnreachable,
		Orchestrator: "DeadMasterAndSomeReplicas",
	}

	// DeadPrimaryAndReplicas leaves nobody to ask and nobody to promote.
	DeadPrimaryAndReplicas = &Rule{
		Name:         "DeadPrimaryAndReplicas",
		Summary:      "Neither the primary nor any of its replicas answers.",
		Advice:       "All of them are probed again; there is nobody to promote. Check the network and the hosts of the whole cluster.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, hasReplicas, noReplicaUp},
		MasksBelow:   []*Rule{DeadReplica, ReplicaSaturated, ReplicaDeniesProbe, HalfAnsweringReplica},
		Recovery:     RecoveryReprobe,
		Why:          whyUnreachable,
		Orchestrator: "DeadMasterAndReplicas",
	}

	// DeadPrimaryUnwitnessed has only Baton's own word for it.
	DeadPrimaryUnwitnessed = &Rule{
		Name:    "DeadPrimaryUnwitnessed",
		Summary: "The primary is down and no replica can tell, because none was connected when it failed.",
		Advice: "A replica is promoted only where a majority of at least three nodes of Baton sees the primary down; otherwise a person decides. " +
			"Start the receivers of the replicas: then they can tell.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, someMute, noneConnected, noneLostIt, leadsAlone},
		Recovery:     RecoveryFailover,
		Given:        []Condition{enoughNodes},
		Why:          whyUnreachable,
		Orchestrator: "DeadMaster",
	}

	// DeadPrimarySuperseded keeps Baton from promoting a second primary beside the one that somebody else made.
	DeadPrimarySuperseded = &Rule{
		Name:    "DeadPrimarySuperseded",
		Summary: "A primary is down, and another instance leads its cluster or takes writes beside it.",
		Advice: "Nobody is promoted: it seems that somebody else has moved the role already. " +
			"If so, point the replicas that are left at the new primary; if not, make the other instance read-only.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isDown, someReplicaUp, noneConnected, isSuperseded, noRecoveryOpen},
		MasksBelow:   consequences,
		Recovery:     RecoveryNone,
		Why:          whySuperseded,
		Orchestrator: "DeadMaster",
	}

	// UnreachablePrimaryWithLaggingReplicas cannot trust testimonies that are old.
	UnreachablePrimaryWithLaggingReplicas = &Rule{
		Name:         "UnreachablePrimaryWithLaggingReplicas",
		Summary:      "The primary does not answer and all of its replicas lag, so that what they say of it may be old.",
		Advice:       "The receivers of the replicas are restarted, so that each tests its connection. Nobody is promoted on this evidence.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isUnreachable, someConnected, allLag, notAllDelayed},
		Masks:        []*Rule{UnreachablePrimary},
		MasksBelow:   consequences,
		Recovery:     RecoveryRestartReceivers,
		Why:          whyUnreachable,
		Orchestrator: "UnreachableMasterWithLaggingReplicas",
	}

	// UnreachablePrimary is the primary that is down for us and not proven dead.
	UnreachablePrimary = &Rule{
		Name:    "UnreachablePrimary",
		Summary: "The primary does not answer this node, but is not proven dead: a replica still receives from it or is silent, or the other nodes do not agree.",
		Advice: "Everybody is probed again and the other nodes are asked; receivers that are connected and silent are restarted. " +
			"Check the network between Baton and the primary.",
		Severity:     Critical,
		When:         []Condition{isPrimary, isUnreachable, isUnprovenPrimary},
		MasksBelow:   []*Rule{FirstTierReplicaFailingToConnectToPrimary, ReceiverBroken, LaggingReplica},
		Recovery:     RecoveryReprobe,
		Why:          whyUnreachable,
		Orchestrator: "UnreachableMaster",
	}

	// SaturatedPrimary is alive: too many connections are never a death.
	SaturatedPrimary = &Rule{
		Name:    "SaturatedPrimary",
		Summary: "The primary is alive and has no room for another connection.",
		Advice: "Nothing is changed: a failover would move the crowd, not end it. Find out who holds the connections; " +
			"raise max_connections or give Baton's account an administrative connection.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{takesWrites, isSaturated},
		MasksBelow:   []*Rule{ReceiverBroken},
		Recovery:     RecoveryNone,
		Why:          whyAnswers,
		Orchestrator: "UnreachableMaster",
	}

	// PrimaryDeniesProbe is alive, and blind spots are said aloud.
	PrimaryDeniesProbe = &Rule{
		Name:     "PrimaryDeniesProbe",
		Summary:  "The primary is alive and does not let Baton in.",
		Advice:   "Baton is blind for this cluster until its account works again. Check the password, the host and the grants of the account.",
		Severity: Critical, For: 10 * time.Second,
		When:         []Condition{takesWrites, isDenied},
		Recovery:     RecoveryNone,
		Why:          whyAnswers,
		Orchestrator: "UnreachableMaster",
	}

	// HalfAnsweringPrimary accepts connections and does not finish.
	HalfAnsweringPrimary = &Rule{
		Name:         "HalfAnsweringPrimary",
		Summary:      "The primary accepts connections and leaves questions unanswered, again and again.",
		Advice:       "Nothing is changed: half an answer is alive. Look for a full disk, a global lock, an overloaded server or a missing grant.",
		Severity:     Critical,
		When:         []Condition{takesWrites, isPartial, isPartialAgain},
		Recovery:     RecoveryNone,
		Why:          whyAnswers,
		Orchestrator: "UnreachableMaster",
	}
)
