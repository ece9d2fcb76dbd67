package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/batondb/baton/topology"
)

// codecVersion is the first byte of an encoded observation. It changes whenever the layout does: an observation of another version is not read.
const codecVersion = 1

// AppendObservation appends the binary form of an observation. Times keep their nanosecond and nothing else: no location, no monotonic reading.
func AppendObservation(b []byte, o *topology.Observation) []byte {
	w := writer{append(b, codecVersion)}
	w.text(string(o.Instance))
	w.time(o.Attempted)
	w.byte(byte(o.Reach))
	w.int(int64(o.Errno))
	w.text(o.Error)
	w.int(int64(o.Took))
	w.int(int64(o.Failures))
	w.time(o.FailingSince)
	w.int(int64(o.Partials))
	w.time(o.SentinelFell)
	w.facts(&o.Facts)
	w.uint(uint64(len(o.History)))
	var last int64
	for i := range o.History {
		a := &o.History[i]
		// Attempts are a second apart: the distance is shorter than the time.
		w.delta(a.At, &last)
		w.byte(byte(a.Reach))
		w.int(int64(a.Errno))
		w.int(int64(a.Took))
	}
	return w.b
}

// DecodeObservation reads what AppendObservation wrote, and nothing else: text that is cut short or goes on is an error.
func DecodeObservation(b []byte) (topology.Observation, error) {
	if len(b) == 0 || b[0] != codecVersion {
		return topology.Observation{}, errors.New("observation of another version")
	}
	// One copy holds all strings of the observation.
	r := reader{b: b[1:], s: string(b[1:])}
	var o topology.Observation
	o.Instance = topology.InstanceID(r.text())
	o.Attempted = r.time()
	o.Reach = topology.Reach(r.byte())
	o.Errno = int(r.int())
	o.Error = r.text()
	o.Took = time.Duration(r.int())
	o.Failures = int(r.int())
	o.FailingSince = r.time()
	o.Partials = int(r.int())
	o.SentinelFell = r.time()
	r.facts(&o.Facts)
	if n := r.count(4); n > 0 {
		o.History = make([]topology.Attempt, n)
		var last int64
		for i := range o.History {
			o.History[i] = topology.Attempt{At: r.delta(&last), Reach: topology.Reach(r.byte()), Errno: int(r.int()), Took: time.Duration(r.int())}
		}
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errors.New("there is more than one observation")
	}
	if r.err != nil {
		return topology.Observation{}, fmt.Errorf("decode observation: %w", r.err)
	}
	return o, nil
}

// The booleans of Facts, packed.
func factBits(f *topology.Facts) [11]*bool {
	s := &f.SemiSync
	return [...]*bool{
		&f.ReadOnly, &f.SuperReadOnly, &f.LogBin, &f.LogReplicaUpdates, &f.GTID,
		&s.SourceInstalled, &s.SourceEnabled, &s.SourceActive, &s.ReplicaInstalled, &s.ReplicaEnabled, &s.ReplicaActive,
	}
}

func (w *writer) facts(f *topology.Facts) {
	flags := factBits(f)
	w.time(f.At)
	w.text(string(f.Version.Flavor))
	w.int(int64(f.Version.Major))
	w.int(int64(f.Version.Minor))
	w.int(int64(f.Version.Patch))
	w.text(f.Version.Suffix)
	w.uint(uint64(f.ServerID))
	w.text(f.ServerUUID)
	w.text(f.Hostname)
	w.text(f.ReportHost)
	w.bits(flags[:])
	w.text(f.BinlogFormat)
	w.coordinates(f.Binlog)
	w.b = f.Executed.AppendBinary(w.b)
	w.b = f.Purged.AppendBinary(w.b)
	w.uint(uint64(len(f.Channels)))
	for i := range f.Channels {
		w.channel(&f.Channels[i])
	}
	w.int(int64(f.SemiSync.SourceClients))
	w.int(int64(f.SemiSync.WaitFor))
	w.int(int64(f.SemiSync.WaitSessions))
	w.int(int64(f.SemiSync.Timeout))
	w.int(int64(f.SyncBinlog))
	w.int(int64(f.FlushLogAtTrxCommit))
	w.int(int64(f.ReplicaNetTimeout))
	w.uint(uint64(len(f.Replicas)))
	for _, id := range f.Replicas {
		w.text(string(id))
	}
	w.text(f.DataCenter)
	w.text(f.Region)
	w.text(f.ClusterAlias)
	w.uint(uint64(len(f.MissingGrants)))
	for _, g := range f.MissingGrants {
		w.text(g)
	}
}

func (r *reader) facts(f *topology.Facts) {
	flags := factBits(f)
	f.At = r.time()
	f.Version = topology.Version{Flavor: topology.Flavor(r.text()), Major: int(r.int()), Minor: int(r.int()), Patch: int(r.int()), Suffix: r.text()}
	f.ServerID = uint32(r.uint())
	f.ServerUUID = r.text()
	f.Hostname = r.text()
	f.ReportHost = r.text()
	r.bits(flags[:])
	f.BinlogFormat = r.text()
	f.Binlog = r.coordinates()
	f.Executed = r.gtids()
	f.Purged = r.gtids()
	if n := r.count(16); n > 0 {
		f.Channels = make([]topology.Channel, n)
		for i := range f.Channels {
			r.channel(&f.Channels[i])
		}
	}
	f.SemiSync.SourceClients = int(r.int())
	f.SemiSync.WaitFor = int(r.int())
	f.SemiSync.WaitSessions = int(r.int())
	f.SemiSync.Timeout = time.Duration(r.int())
	f.SyncBinlog = int(r.int())
	f.FlushLogAtTrxCommit = int(r.int())
	f.ReplicaNetTimeout = time.Duration(r.int())
	if n := r.count(1); n > 0 {
		f.Replicas = make([]topology.InstanceID, n)
		for i := range f.Replicas {
			f.Replicas[i] = topology.InstanceID(r.text())
		}
	}
	f.DataCenter = r.text()
	f.Region = r.text()
	f.ClusterAlias = r.text()
	if n := r.count(1); n > 0 {
		f.MissingGrants = make([]string, n)
		for i := range f.MissingGrants {
			f.MissingGrants[i] = r.text()
		}
	}
}

func channelBits(c *topology.Channel) [3]*bool {
	return [...]*bool{&c.AutoPosition, &c.LagKnown, &c.Filtered}
}

func (w *writer) channel(c *topology.Channel) {
	flags := channelBits(c)
	w.text(c.Name)
	w.text(string(c.Source))
	w.text(c.SourceUUID)
	w.byte(byte(c.Receiver))
	w.int(int64(c.ReceiverErrno))
	w.text(c.ReceiverError)
	w.byte(byte(c.Applier))
	w.int(int64(c.ApplierErrno))
	w.text(c.ApplierError)
	w.bits(flags[:])
	w.b = c.Retrieved.AppendBinary(w.b)
	w.coordinates(c.Read)
	w.coordinates(c.Applied)
	w.int(int64(c.Lag))
	w.int(int64(c.Delay))
	w.int(int64(c.Heartbeat))
	w.uint(c.Beats)
	w.time(c.ReceiverSince)
	w.time(c.HeardAt)
}

func (r *reader) channel(c *topology.Channel) {
	flags := channelBits(c)
	c.Name = r.text()
	c.Source = topology.InstanceID(r.text())
	c.SourceUUID = r.text()
	c.Receiver = topology.Receiver(r.byte())
	c.ReceiverErrno = int(r.int())
	c.ReceiverError = r.text()
	c.Applier = topology.Applier(r.byte())
	c.ApplierErrno = int(r.int())
	c.ApplierError = r.text()
	r.bits(flags[:])
	c.Retrieved = r.gtids()
	c.Read = r.coordinates()
	c.Applied = r.coordinates()
	c.Lag = time.Duration(r.int())
	c.Delay = time.Duration(r.int())
	c.Heartbeat = time.Duration(r.int())
	c.Beats = r.uint()
	c.ReceiverSince = r.time()
	c.HeardAt = r.time()
}

type writer struct{ b []byte }

func (w *writer) byte(v byte)   { w.b = append(w.b, v) }
func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)   { w.b = binary.AppendVarint(w.b, v) }

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) coordinates(c topology.Coordinates) {
	w.text(c.File)
	w.uint(c.Pos)
}

// noTime stands for the zero time, which has no nanosecond of its own.
const noTime = math.MinInt64

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixNano()
}

func timeOf(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// time is written in eight bytes: as a varint it would take nine.
func (w *writer) time(t time.Time) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(nanos(t))) }

func (w *writer) delta(t time.Time, last *int64) {
	n := nanos(t)
	w.int(n - *last) // wraps around, and back again
	*last = n
}

func (w *writer) bits(flags []*bool) {
	var v uint64
	for i, f := range flags {
		if *f {
			v |= 1 << i
		}
	}
	w.uint(v)
}

// reader takes an encoding apart. After the first error everything it returns is zero.
type reader struct {
	b   []byte
	s   string // the same bytes
	err error
}

func (r *reader) skip(n int) { r.b, r.s = r.b[n:], r.s[n:] }

func (r *reader) cut() { r.b, r.s, r.err = nil, "", errors.New("it is cut short") }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.cut()
		return 0
	}
	v := r.b[0]
	r.skip(1)
	return v
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.cut()
		return 0
	}
	r.skip(n)
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.cut()
		return 0
	}
	r.skip(n)
	return v
}

func (r *reader) text() string {
	n := r.uint()
	if n > uint64(len(r.s)) {
		r.cut()
		return ""
	}
	v := r.s[:n]
	r.skip(int(n))
	return v
}

// count reads the length of a list whose elements take at least size bytes each, so that damage cannot ask for all memory.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.cut()
		return 0
	}
	return int(n)
}

func (r *reader) coordinates() topology.Coordinates {
	return topology.Coordinates{File: r.text(), Pos: r.uint()}
}

func (r *reader) time() time.Time {
	if len(r.b) < 8 {
		r.cut()
		return time.Time{}
	}
	n := int64(binary.BigEndian.Uint64(r.b))
	r.skip(8)
	return timeOf(n)
}

func (r *reader) delta(last *int64) time.Time {
	*last += r.int()
	return timeOf(*last)
}

func (r *reader) bits(flags []*bool) {
	v := r.uint()
	for i, f := range flags {
		*f = v&(1<<i) != 0
	}
}

func (r *reader) gtids() topology.GTIDSet {
	if r.err != nil {
		return topology.GTIDSet{}
	}
	set, rest, err := topology.DecodeGTIDSet(r.b)
	if err != nil {
		r.cut()
		r.err = err
		return topology.GTIDSet{}
	}
	r.skip(len(r.b) - len(rest))
	return set
}
