package analysis

import "github.com/batondb/baton/topology"

// The conditions, each a fact with the words that complete "the instance ...". A rule is read aloud from them.

func cond(text string, holds func(Subject) bool) Condition {
	return Condition{Text: text, Holds: holds}
}

// What the instance is.
var (
	isPrimary = cond("is a primary and was not deposed", func(s Subject) bool {
		return s.Instance.Role == topology.RolePrimary && !s.Instance.Deposed
	})
	isCoPrimary = cond("is one of co-primaries", func(s Subject) bool {
		return s.Instance.Role == topology.RoleCoPrimary
	})
	takesWrites = cond("is a primary or one of co-primaries", func(s Subject) bool {
		return s.Instance.Role == topology.RolePrimary || s.Instance.Role == topology.RoleCoPrimary
	})
	isIntermediate = cond("is an intermediate source", func(s Subject) bool {
		return s.Instance.Role == topology.RoleIntermediate
	})
	isSubordinate = cond("is neither a primary nor one of co-primaries", func(s Subject) bool {
		return s.Instance.Role != topology.RolePrimary && s.Instance.Role != topology.RoleCoPrimary
	})
	isLeader = cond("is the instance that is meant to take the writes of its cluster", func(s Subject) bool {
		return s.Instance.Instance == s.Cluster.Primary && !s.Instance.Deposed
	})
	isNotLeader = cond("is not the instance that is meant to take the writes of its cluster", func(s Subject) bool {
		return s.Instance.Instance != s.Cluster.Primary
	})
	isReplicaOrSource = cond("is a replica or an intermediate source", func(s Subject) bool {
		return s.Instance.Role == topology.RoleReplica || s.Instance.Role == topology.RoleIntermediate
	})
	isFirstTier = cond("is a direct replica of a primary", func(s Subject) bool {
		source := s.source()
		return source != nil && source.Role == topology.RolePrimary
	})
	isRoot = cond("follows nobody", func(s Subject) bool { return s.Instance.Source == "" })
)

// How it answers.
var (
	isUp = cond("is up", func(s Subject) bool { return s.Instance.Up() })

	lacksGrants = cond("does not give Baton's account all the rights it needs", func(s Subject) bool { return len(s.Instance.Facts.MissingGrants) > 0 })
	isDown      = cond("is down: it was refused or timed out often enough, as a majority of Baton's nodes sees it", func(s Subject) bool {
		return s.Instance.Down
	})
	isUnreachable = cond("is down, at least as this node sees it", func(s Subject) bool {
		if s.Instance.Down {
			return true
		}
		_, down := s.Snapshot.Here(s.Instance)
		return down
	})
	isSaturated = cond("is alive and has no connection left", func(s Subject) bool {
		return s.Instance.Agreed == topology.ReachSaturated
	})
	isDenied = cond("is alive and turns Baton away", func(s Subject) bool {
		return s.Instance.Agreed == topology.ReachDenied
	})
	isPartial = cond("is alive and leaves questions unanswered", func(s Subject) bool {
		return s.Instance.Agreed == topology.ReachPartial
	})
	isPartialAgain = cond("answered half at every one of the last probes, as many as the policy says", func(s Subject) bool {
		return s.Instance.Partials >= s.Policy.HalfAnswers
	})
)

// What its replicas say. Downtimed replicas do not count.
var (
	hasNoReplicas  = cond("has no replicas, downtimed ones aside", func(s Subject) bool { return s.Replicas.Total == 0 })
	hasReplicas    = cond("has replicas, downtimed ones aside", func(s Subject) bool { return s.Replicas.Total > 0 })
	hasOneReplica  = cond("has one replica, downtimed ones aside", func(s Subject) bool { return s.Replicas.Total == 1 })
	hasMoreThanOne = cond("has more than one replica, downtimed ones aside", func(s Subject) bool { return s.Replicas.Total > 1 })
	isLeaf         = cond("has no replicas at all", func(s Subject) bool { return len(s.Instance.Direct) == 0 })

	noReplicaUp    = cond("has no replica that is up", func(s Subject) bool { return s.Replicas.Up == 0 })
	someReplicaUp  = cond("has a replica that is up", func(s Subject) bool { return s.Replicas.Up > 0 })
	allReplicasUp  = cond("has no replica that is not up", func(s Subject) bool { return s.Replicas.Up == s.Replicas.Total })
	notAllUp       = cond("has a replica that is not up", func(s Subject) bool { return s.Replicas.Up < s.Replicas.Total })
	itsReplicaDead = cond("has a replica that is down", func(s Subject) bool { return s.Replicas.Dead > 0 })

	noneConnected  = cond("has no replica that receives from it or is silent", func(s Subject) bool { return s.Replicas.Connected() == 0 })
	someConnected  = cond("has a replica that receives from it or is silent", func(s Subject) bool { return s.Replicas.Connected() > 0 })
	someReceives   = cond("has a replica that receives from it", func(s Subject) bool { return s.Replicas.Receiving > 0 })
	someLostIt     = cond("has a replica that lost it", func(s Subject) bool { return s.Replicas.Lost > 0 })
	noneLostIt     = cond("has no replica that lost it", func(s Subject) bool { return s.Replicas.Lost == 0 })
	someMute       = cond("has a replica that is up and cannot tell", func(s Subject) bool { return s.Replicas.Mute > 0 })
	allCutOff      = cond("has no up replica that can connect to it", func(s Subject) bool { return s.Replicas.CutOff == s.Replicas.Up })
	noneReplicates = cond("has no up replica that replicates", func(s Subject) bool { return s.Replicas.Idle == s.Replicas.Up })
	allIdleOrDead  = cond("has no replica that may replicate: each is down or known to stand still", func(s Subject) bool {
		return s.Replicas.Idle+s.Replicas.Dead == s.Replicas.Total
	})
	noneLogs = cond("has no up replica that logs what it applies", func(s Subject) bool { return s.Replicas.Logging == 0 })

	allLag        = cond("has no replica that does not lag", func(s Subject) bool { return s.Replicas.Lagging == s.Replicas.Total })
	notAllDelayed = cond("has a replica without a configured delay", func(s Subject) bool { return s.Replicas.Delayed < s.Replicas.Total })

	// The complement of what the rules about dead instances demand, so that no instance falls between them.
	isUnproven = cond("is not proven dead: a majority does not agree, or a replica receives from it or is silent, or none lost it", func(s Subject) bool {
		return !s.Instance.Down || s.Replicas.Connected() > 0 || s.Replicas.Lost == 0
	})
	isUnprovenPrimary = cond("is not proven dead: a majority does not agree, or a replica receives from it or is silent", func(s Subject) bool {
		return !s.Instance.Down || s.Replicas.Connected() > 0
	})
)

// Who may write.
var (
	isWritable = cond("is writable", func(s Subject) bool { return s.Instance.Writable() })
	isReadOnly = cond("is read-only", func(s Subject) bool { return s.Instance.Known() && !s.Instance.Writable() })

	leadsAlone = cond("leads its cluster, in which no other root is up and writable", func(s Subject) bool {
		return s.Instance.Instance == s.Cluster.Primary && s.otherWriter() == nil
	})
	isSuperseded = cond("does not lead its cluster, or another root in it is up and writable", func(s Subject) bool {
		return s.Instance.Instance != s.Cluster.Primary || s.otherWriter() != nil
	})

	leaderWritable = cond("is in a cluster whose primary is up and writable", func(s Subject) bool {
		leader := s.leader()
		return leader != nil && leader.Up() && leader.Writable()
	})
	mayShareLineage = cond("has transactions in common with the primary, or may have", func(s Subject) bool {
		a, b := s.lineages()
		return a.IsEmpty() || b.IsEmpty() || !a.Intersect(b).IsEmpty()
	})
	sharesLineage = cond("has transactions in common with the primary", func(s Subject) bool {
		a, b := s.lineages()
		return !a.Intersect(b).IsEmpty()
	})
	noPeerWritable = cond("has no co-primary that is writable", func(s Subject) bool {
		for _, m := range s.Cluster.Members {
			if m != s.Instance && m.Role == topology.RoleCoPrimary && m.Writable() {
				return false
			}
		}
		return true
	})
)

// What people and the ledger say.
var (
	isDeposed      = cond("was deposed by a recovery", func(s Subject) bool { return s.Instance.Deposed })
	isNotDeposed   = cond("was not deposed by a recovery", func(s Subject) bool { return !s.Instance.Deposed })
	isQuarantined  = cond("is quarantined", func(s Subject) bool { return s.Instance.Quarantined })
	noRecoveryOpen = cond("is in a cluster without an open recovery", func(s Subject) bool {
		_, open := s.Snapshot.Intents.Open[s.Cluster.Name]
		return !open
	})
	noMaintenance = cond("is not held for maintenance, nor is its cluster", func(s Subject) bool {
		_, held := s.Snapshot.Intents.MaintenanceOf(s.Cluster.Name, s.Instance.Instance, s.Snapshot.At)
		return !held
	})
	leaderAgreed = cond("is in a cluster whose primary is the one agreed on last", func(s Subject) bool {
		return s.Cluster.Agreed
	})
	expectsReplicas = cond("is in a cluster that had other members, or the policy expects replicas", func(s Subject) bool {
		return s.Policy.ExpectReplicas || len(s.Cluster.Members) > 1 || len(s.Snapshot.Intents.Clusters[s.Cluster.Name].Members) > 1
	})
	singleWriter = cond("is in a fleet whose policy wants one writer in each cluster", func(s Subject) bool { return !s.Policy.MultiWriter })

	enoughNodes    = cond("is seen by at least three nodes of Baton", func(s Subject) bool { return s.Snapshot.Nodes >= 3 })
	mayOpen        = cond("may be opened by policy", func(s Subject) bool { return s.Policy.OpenPrimary })
	maySetReadOnly = cond("may be made read-only by policy", func(s Subject) bool { return s.Policy.SetReadOnly })
	mayFence       = cond("may be fenced by policy", func(s Subject) bool { return s.Policy.FenceSecondWriter })
)

// Its own replication.
var (
	receiverHalted = cond("has a receiver that is stopped without an error", func(s Subject) bool {
		return s.Channel != nil && s.Channel.Receiver == topology.ReceiverStopped && s.Channel.ReceiverErrno == 0
	})
	receiverFailed = cond("has a receiver that is not connected because of an error", func(s Subject) bool {
		c := s.Channel
		if c == nil || c.Receiver != topology.ReceiverStopped && c.Receiver != topology.ReceiverConnecting {
			return false
		}
		return c.ReceiverErrno != 0 || s.Snapshot.CutOff(s.Instance)
	})
	applierHalted = cond("has an applier that is stopped without an error", func(s Subject) bool {
		return s.Channel != nil && s.Channel.Applier == topology.ApplierStopped && s.Channel.ApplierErrno == 0
	})
	applierFailed = cond("has an applier that is stopped by an error", func(s Subject) bool {
		return s.Channel != nil && s.Channel.Applier == topology.ApplierStopped && s.Channel.ApplierErrno != 0
	})
	lags = cond("is known to lag by more than the policy allows, its configured delay subtracted", func(s Subject) bool {
		return s.Channel != nil && s.Channel.LagKnown && s.Channel.Lag > s.Policy.lagThreshold(s.Cluster.Name)
	})
	isCutOff    = cond("cannot connect to its source", func(s Subject) bool { return s.Snapshot.CutOff(s.Instance) })
	sourceAlive = cond("has a source that is alive", func(s Subject) bool {
		source := s.source()
		return source != nil && source.Agreed.Alive()
	})
	isNotReformed = cond("does not follow the primary of its cluster, or is writable", func(s Subject) bool {
		return !s.followsLeader() || s.Instance.Writable()
	})
	// Only the top of a branch that went astray: what hangs below it is where it belongs.
	followsStray = cond("follows an instance that follows nobody, or only its own replicas, and does not lead the cluster", func(s Subject) bool {
		source := s.source()
		return source != nil && source != s.leader() && (source.Following() == nil || source.Role == topology.RoleCoPrimary && !s.followsLeader())
	})
	isNotInDoubt = cond("is not quarantined", func(s Subject) bool { return !s.Instance.Quarantined })
)

// source returns the instance that the subject follows, or nil.
func (s Subject) source() *topology.Instance { return s.Instance.Following() }

// leader returns the instance that is meant to take the writes of the cluster, or nil.
func (s Subject) leader() *topology.Instance { return s.Cluster.Leader() }

// lineages returns what the primary of the cluster and the subject have executed.
func (s Subject) lineages() (leader, own topology.GTIDSet) {
	if l := s.leader(); l != nil {
		leader = l.Facts.Executed
	}
	return leader, s.Instance.Facts.Executed
}

// otherWriter returns a root of the cluster, other than the subject, that takes writes and was not deposed: somebody may have moved the role there.
func (s Subject) otherWriter() *topology.Instance {
	for _, m := range s.Cluster.Members {
		if m != s.Instance && m.Source == "" && m.Up() && m.Writable() && !m.Deposed {
			return m
		}
	}
	return nil
}

// followsLeader reports whether the chain of sources leads to the cluster's primary. The primary itself leads and does not follow.
func (s Subject) followsLeader() bool {
	at := s.Instance
	for range s.Cluster.Members { // a circle without the primary ends here
		if at = at.Following(); at == nil || at == s.Instance {
			return false
		}
		if at == s.Cluster.Leader() {
			return true
		}
	}
	return false
}

// What is true of an area.
var (
	enoughLost = cond("has lost, together, at least as many instances as the policy says", func(s Subject) bool {
		return s.Area.Lost >= s.Policy.IsolatedAtLeast
	})
	mostHostsLost = cond("has lost, together and as this node alone sees it, more than half of the hosts that answered a moment before", func(s Subject) bool {
		return 2*s.Area.LostHosts > s.Area.SeenHosts
	})
	stormy = cond("has more primaries down together than the policy allows, by number or by share", func(s Subject) bool {
		n := len(s.Area.Fallen)
		return n > s.Policy.StormPrimaries || n >= s.Policy.StormAtLeast && float64(n) >= s.Policy.StormShare*float64(s.Area.Clusters)
	})
)
