package analysis

// Table holds all rules in order of precedence: a rule may hide only what stands below it. It is not changed after the program has started.
var Table = []*Rule{
	ObserverIsolated,
	FailureStorm,

	DeadPrimaryWithoutReplicas,
	DeadPrimary,
	DeadPrimaryAndSomeReplicas,
	DeadPrimaryAndReplicas,
	DeadPrimaryUnwitnessed,
	DeadPrimarySuperseded,
	UnreachablePrimaryWithLaggingReplicas,
	UnreachablePrimary,
	SaturatedPrimary,
	PrimaryDeniesProbe,
	HalfAnsweringPrimary,
	SplitBrain,
	DeposedPrimaryReturned,
	PrimaryNotWritable,
	PrimarySingleReplicaNotReplicating,
	PrimarySingleReplicaDead,
	NoPrimaryReplicaReplicating,
	NoPrimaryReplicaReplicatingOrDead,
	PrimaryWithoutReplicas,

	DeadCoPrimary,
	DeadCoPrimaryAndSomeReplicas,
	UnreachableCoPrimary,
	NoCoPrimaryReplicaReplicating,
	BothCoPrimariesWritable,

	DeadIntermediateSource,
	DeadIntermediateSourceWithSingleReplicaFailingToConnect,
	DeadIntermediateSourceWithSingleReplica,
	DeadIntermediateSourceAndSomeReplicas,
	DeadIntermediateSourceAndReplicas,
	UnreachableIntermediateSourceWithLaggingReplicas,
	UnreachableIntermediateSource,
	AllIntermediateSourceReplicasFailingToConnectOrDead,
	NoIntermediateSourceReplicaReplicating,

	ReplicaLostInRecovery,
	WrongSource,
	DetachedInstance,
	FirstTierReplicaFailingToConnectToPrimary,
	DeadReplica,
	ReplicaSaturated,
	ReplicaDeniesProbe,
	HalfAnsweringReplica,
	ReceiverStopped,
	ReceiverBroken,
	ApplierStopped,
	ApplierBroken,
	LaggingReplica,
	WritableReplica,

	NoLoggingReplicas,
	MissingGrants,
}

// ObserverIsolated distrusts this node itself.
var ObserverIsolated = &Rule{
	Name:    "ObserverIsolated",
	Summary: "This node of Baton has lost most of the fleet at once, and no majority of nodes confirms it.",
	Advice: "Nothing is repaired, because being alone is not being right: what looks like many dead servers is more likely a cut network. " +
		"Check the network of this node and of the other nodes of Baton first.",
	Severity: Critical,
	Scope:    ScopeFleet,
	When:     []Condition{enoughLost, mostHostsLost},
	Masks:    append([]*Rule{FailureStorm}, outages...),
	Recovery: RecoveryNone,
	Why:      whyIsolated,
}

// FailureStorm calls a human where one cause has many victims.
var FailureStorm = &Rule{
	Name:    "FailureStorm",
	Summary: "Many primaries of the fleet, of a region or of a data centre went down within moments of each other.",
	Advice: "Nothing in the area is repaired by itself, because failing over many clusters at once may overload what is left or follow a fault that passes. " +
		"Find the common cause, then fail over by hand, cluster by cluster, or downtime what is lost.",
	Severity: Critical,
	Scope:    ScopeArea,
	When:     []Condition{stormy},
	Masks:    outages,
	Recovery: RecoveryNone,
	Why:      whyStormy,
}

// outages are the rules that say an instance does not answer, or answers to nobody. What the fleet rules doubt is all of these.
var outages = []*Rule{
	DeadPrimaryWithoutReplicas, DeadPrimary, DeadPrimaryAndSomeReplicas, DeadPrimaryAndReplicas, DeadPrimaryUnwitnessed, DeadPrimarySuperseded,
	UnreachablePrimaryWithLaggingReplicas, UnreachablePrimary, PrimarySingleReplicaDead, NoPrimaryReplicaReplicatingOrDead,
	DeadCoPrimary, DeadCoPrimaryAndSomeReplicas, UnreachableCoPrimary,
	DeadIntermediateSource, DeadIntermediateSourceWithSingleReplicaFailingToConnect, DeadIntermediateSourceWithSingleReplica,
	DeadIntermediateSourceAndSomeReplicas, DeadIntermediateSourceAndReplicas,
	UnreachableIntermediateSourceWithLaggingReplicas, UnreachableIntermediateSource, AllIntermediateSourceReplicasFailingToConnectOrDead,
	DeadReplica,
}
