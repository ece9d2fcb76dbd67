package lab

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A Report is what a Writer saw.
type Report struct {
	Run          uint64 // which rows of app.writes are its own
	Acknowledged int
	Attempted    int

	// The longest time without an acknowledgement. When it has not ended yet,
	// To is when the report was made and Open is true.
	MaxGap   time.Duration
	From, To time.Time
	Open     bool

	// Servers counts the acknowledged rows by address.
	Servers map[string]int

	acks  []ack
	addrs []string
}

// Report returns what was seen until now.
func (w *Writer) Report() Report { return w.ReportSince(time.Time{}) }

// ReportSince is Report, with only the gaps that ended after a moment: so the
// gap of one fault among several can be told.
func (w *Writer) ReportSince(moment time.Time) Report {
	w.mu.Lock()
	now := time.Now()
	switch {
	case w.opts.Limit > 0 && len(w.acks) >= w.opts.Limit:
		now = w.acked // it wrote all it had to; the silence since is its own
	case !w.ended.IsZero():
		now = w.ended
	}
	acks := w.acks // which only grow
	attempted := int(w.nextSeq)
	w.mu.Unlock()

	r := Report{Run: w.run, Acknowledged: len(acks), Attempted: attempted, Servers: map[string]int{}, acks: acks, addrs: w.addrs}
	for i, a := range acks {
		r.Servers[w.addrs[a.server]]++
		if i > 0 && a.at.After(moment) {
			r.gap(acks[i-1].at, a.at, false)
		}
	}
	if len(acks) > 0 && now.After(moment) {
		r.gap(acks[len(acks)-1].at, now, true)
	}
	return r
}

func (r *Report) gap(from, to time.Time, open bool) {
	if d := to.Sub(from); d > r.MaxGap {
		r.MaxGap, r.From, r.To, r.Open = d, from, to, open
	}
}

// AcknowledgedBy counts the rows that the server at addr acknowledged after a
// moment: after a failover, a deposed primary should have none.
func (r Report) AcknowledgedBy(addr string, after time.Time) int {
	n := 0
	for _, a := range r.acks {
		if r.addrs[a.server] == addr && a.at.After(after) {
			n++
		}
	}
	return n
}

// Lost returns the numbers of the acknowledged rows that are not in a server:
// after a failover, in the new primary.
func (r Report) Lost(ctx context.Context, addr string) ([]uint64, error) {
	connector, err := mysql.NewConnector(driverConfig(addr, AppUser, Password))
	if err != nil {
		return nil, fmt.Errorf("read back %s: %w", addr, err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT seq FROM app.writes WHERE run = ?", r.Run)
	if err != nil {
		return nil, fmt.Errorf("read back %s: %w", addr, err)
	}
	defer rows.Close()
	present := make(map[uint64]bool, r.Acknowledged)
	for rows.Next() {
		var seq uint64
		if err := rows.Scan(&seq); err != nil {
			return nil, fmt.Errorf("read back %s: %w", addr, err)
		}
		present[seq] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read back %s: %w", addr, err)
	}
	var lost []uint64
	for _, a := range r.acks {
		if !present[a.seq] {
			lost = append(lost, a.seq)
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// String is one line for people.
func (r Report) String() string {
	open := ""
	if r.Open {
		open = " and counting"
	}
	return fmt.Sprintf("%d of %d writes acknowledged, longest gap %s%s", r.Acknowledged, r.Attempted, r.MaxGap.Round(100*time.Microsecond), open)
}
