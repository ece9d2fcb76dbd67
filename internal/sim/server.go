package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// server is one server as it is, not as it is seen.
type server struct {
	Server
	n     int // from 1; also its server id
	uuid  string
	own   uint64 // the last number it gave; MySQL only
	alive bool
	hung  bool

	log      []int // binary log, in order
	logged   set   // the same
	executed set   // committed; what waits for an acknowledgement is in the log and not here
	purged   int   // so many of the log are no longer there
	waiting  []commit

	source   topology.InstanceID
	receiver receiver
	applier  applier
	relay    []relayed
	received set // of relay

	readOnly, superReadOnly bool
	semiSource              bool
	waitFor                 int
	semiReplica             bool
	durability, kept        remediation.Durability
	sinceRelaxed            []int // applied while a crash would lose it

	fenceOnWake bool // a fence lies in the socket of a server that hangs
	fenced      bool // Baton closed it, and has not opened it since
	stopped     bool // Baton stopped its receiver, and has not started it since
	halfway     int  // so many promotions of it break off in the middle

	gtids    topology.GTIDSet // of executed
	gtidsOld bool
}

// commit is a transaction that is written and waits for acknowledgements.
type commit struct {
	t     int
	by    set // servers that have it, by number
	count int
}

// relayed is a transaction in a relay log.
type relayed struct {
	t  int
	at time.Time
}

type receiver struct {
	on        bool
	connected bool
	errno     int
	cursor    int // place in the source's log
	next      time.Time
	silent    time.Time // since when it has been connected to nobody
	acks      []int     // received, acknowledgement under way
	beats     uint64
}

type applier struct {
	on    bool
	errno int
	fails int // with this error, whenever it applies
}

func newServer(f *Fleet, o Server, n int) *server {
	s := &server{
		Server: o, n: n, uuid: fmt.Sprintf("00000000-0000-0000-0000-%012d", n), alive: true, source: o.Source, gtidsOld: true,
		durability: remediation.Durability{SyncBinlog: 1, FlushLogAtTrxCommit: 1},
	}
	if o.Relaxed {
		s.durability = remediation.Durability{SyncBinlog: 100, FlushLogAtTrxCommit: 2}
	}
	s.kept = s.durability
	s.readOnly = o.ReadOnly || o.Source != ""
	s.StartsReadOnly = o.StartsReadOnly || o.Source != ""
	s.superReadOnly = s.readOnly && !s.mariaDB() && o.Source != ""
	s.semiReplica = o.SemiSync && o.Source != ""
	if o.Source == "" && f.options.WaitFor > 0 {
		s.semiSource, s.waitFor = true, f.options.WaitFor
	}
	s.receiver.on, s.applier.on = o.Source != "", o.Source != ""
	return s
}

func (s *server) mariaDB() bool { return s.Version.IsMariaDB() }

// writable reports whether ordinary clients can write.
func (s *server) writable() bool { return !s.readOnly && !s.superReadOnly }

// changed notes that executed or the log is another one.
func (s *server) changed() { s.gtidsOld = true }

// lastNumber is the highest number in the log, whoever gave it: those of a MariaDB domain ascend without gaps in this model.
func (s *server) lastNumber() uint64 { return uint64(len(s.log)) }

// holds reports whether the server has a transaction in any form.
func (s *server) holds(t int) bool { return s.received.has(t) || s.logged.has(t) }

// write appends to the binary log.
func (s *server) write(t int) {
	s.log = append(s.log, t)
	s.logged.add(t)
	s.changed()
}

// commit makes a written transaction visible.
func (s *server) commit(t int) {
	s.executed.add(t)
	if s.durability.SyncBinlog == 0 {
		s.sinceRelaxed = append(s.sinceRelaxed, t)
	}
	s.changed()
}

// executedSet is what the server says it has executed.
func (f *Fleet) executedSet(s *server) topology.GTIDSet {
	if s.gtidsOld {
		s.gtids, s.gtidsOld = f.gtidsOf(s.executed, s), false
	}
	return s.gtids
}

// gtidsOf writes transactions as the server would: MySQL all of them, MariaDB the last one.
func (f *Fleet) gtidsOf(have set, s *server) topology.GTIDSet {
	if s.mariaDB() {
		for _, v := range slices.Backward(s.log) {
			if have.has(v) {
				return position(f.all[v])
			}
		}
		return topology.GTIDSet{}
	}
	type span struct{ first, last uint64 }
	spans := make([][]span, len(f.servers)+1)
	for t := range f.all {
		if !have.has(t) {
			continue
		}
		from, no := f.all[t].source.n, f.all[t].number
		if l := len(spans[from]); l > 0 && spans[from][l-1].last+1 == no {
			spans[from][l-1].last = no
		} else {
			spans[from] = append(spans[from], span{no, no})
		}
	}
	var b strings.Builder
	for n, list := range spans {
		if len(list) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.servers[n-1].uuid)
		for _, sp := range list {
			fmt.Fprintf(&b, ":%d-%d", sp.first, sp.last)
		}
	}
	return topology.MustParseGTIDSet(b.String())
}

// position is a transaction as MariaDB names it.
func position(t transaction) topology.GTIDSet {
	return topology.MustParseGTIDSet(fmt.Sprintf("0-%d-%d", t.source.n, t.number))
}

// retrievedSet is what the server says it has received and may not have applied yet.
func (f *Fleet) retrievedSet(s *server) topology.GTIDSet {
	if !s.mariaDB() {
		return f.gtidsOf(s.received, s)
	}
	if len(s.relay) > 0 {
		return position(f.all[s.relay[len(s.relay)-1].t])
	}
	return f.executedSet(s)
}
