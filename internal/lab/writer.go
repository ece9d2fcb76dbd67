package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// WriterOptions says how a Writer writes.
type WriterOptions struct {
	// Every is the pause between the writes of one client; 0 means 2 ms, and
	// a negative one means none.
	Every time.Duration

	// Clients is how many connections write at once; 0 means 1.
	Clients int

	// Limit ends the writing after so many acknowledged rows; 0 means never.
	Limit int

	// Patience is how long nothing may be acknowledged until the other
	// servers are asked whether they are writable; 0 means 20 ms and the pause.
	Patience time.Duration
}

// A Writer is a client of a fleet: it inserts rows in whichever server is
// writable, and remembers every row that was acknowledged. It stays with a
// server while that acknowledges; when it does not, it asks all of them, every
// millisecond and in parallel, and goes to the first that is writable. So the
// gap that it sees is the gap of the fleet, not of its own timeouts.
type Writer struct {
	run   uint64
	addrs []string
	opts  WriterOptions

	cancel  context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	nextSeq uint64
	current int           // index of the server it writes to, -1 for none
	changed chan struct{} // closed when current changes
	chosen  time.Time     // when current was chosen
	acked   time.Time     // the last acknowledgement
	silent  []bool        // by server: its last write was never answered
	acks    []ack
	full    chan struct{} // closed at the limit
	ended   time.Time     // when the writer stopped
}

// An ack is one acknowledged row.
type ack struct {
	seq    uint64
	at     time.Time
	server int
}

const (
	// A client of its own would wait longer, but a shorter deadline costs
	// nothing: other servers are asked meanwhile.
	queryDeadline = 500 * time.Millisecond
	dialDeadline  = 200 * time.Millisecond
	probePause    = time.Millisecond
)

// StartWriter starts writing as the application's account to the servers at
// addrs. It ends with ctx or by Stop.
func StartWriter(ctx context.Context, addrs []string, opts WriterOptions) *Writer {
	if opts.Every == 0 {
		opts.Every = 2 * time.Millisecond
	}
	if opts.Clients == 0 {
		opts.Clients = 1
	}
	if opts.Patience == 0 {
		opts.Patience = 20*time.Millisecond + max(0, opts.Every)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Writer{
		// JSON and SQL clients alike can hold 53 bits.
		run:     rand.Uint64N(1 << 53),
		addrs:   addrs,
		opts:    opts,
		cancel:  cancel,
		stopped: make(chan struct{}),
		current: -1,
		changed: make(chan struct{}),
		full:    make(chan struct{}),
		silent:  make([]bool, len(addrs)),
	}
	var running sync.WaitGroup
	for i, addr := range addrs {
		running.Go(func() { w.probe(ctx, i, newLine(addr)) })
		for range opts.Clients {
			running.Go(func() { w.write(ctx, i, newLine(addr)) })
		}
	}
	go func() {
		running.Wait()
		w.mu.Lock()
		w.ended = time.Now()
		w.mu.Unlock()
		close(w.stopped)
	}()
	return w
}

// Stop ends the writing and returns the final report.
func (w *Writer) Stop() Report {
	w.cancel()
	<-w.stopped
	return w.Report()
}

// Wait returns when Limit rows are acknowledged.
func (w *Writer) Wait(ctx context.Context) error {
	select {
	case <-w.full:
		return nil
	case <-w.stopped:
		return errors.New("the writer has stopped")
	case <-ctx.Done():
		return fmt.Errorf("%d rows acknowledged: %w", w.Report().Acknowledged, ctx.Err())
	}
}

// WaitAcknowledged returns when a row is acknowledged that is sent from now
// on or was on its way, by the server at addr, or by any when addr is empty.
func (w *Writer) WaitAcknowledged(ctx context.Context, addr string) error {
	w.mu.Lock()
	seen := len(w.acks)
	w.mu.Unlock()
	err := poll(ctx, func() (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for ; seen < len(w.acks); seen++ {
			if addr == "" || w.addrs[w.acks[seen].server] == addr {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for an acknowledged write: %w", err)
	}
	return nil
}

// write inserts rows in one server while it is the current one.
func (w *Writer) write(ctx context.Context, server int, l *line) {
	defer l.close()
	for w.turn(ctx, server, l) {
		seq := w.take()
		if seq == 0 {
			return
		}
		query := fmt.Sprintf("INSERT INTO app.writes (run, seq) VALUES (%d, %d)", w.run, seq)
		if err := l.exec(ctx, query); err != nil {
			// What happened to the row is unknown; the number is not used again.
			w.leave(server, errors.Is(err, context.DeadlineExceeded))
			if !refused(err) {
				l.close()
			}
			continue
		}
		w.record(seq, server)
		if w.opts.Every > 0 {
			pause(ctx, w.opts.Every)
		}
	}
}

// turn waits until the server is the current one, with a connection kept ready
// for that moment. It returns false when the writer ends.
func (w *Writer) turn(ctx context.Context, server int, l *line) bool {
	for ctx.Err() == nil {
		current, changed := w.where()
		if current == server {
			return true
		}
		if l.connect(ctx) != nil {
			pause(ctx, 20*time.Millisecond)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return false
}

// probe asks one server whether it is writable whenever no write succeeds.
func (w *Writer) probe(ctx context.Context, server int, l *line) {
	defer l.close()
	for ctx.Err() == nil {
		wait, changed := w.calm()
		if wait > 0 {
			_ = l.connect(ctx)
			timer := time.NewTimer(wait)
			select {
			case <-changed:
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
			continue
		}
		if l.writable(ctx) {
			w.claim(server)
		}
		pause(ctx, probePause)
	}
}

// calm returns how long there is no reason to look for another server.
func (w *Writer) calm() (time.Duration, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current < 0 {
		return 0, w.changed
	}
	return w.opts.Patience - time.Since(w.acked), w.changed
}

// claim makes a writable server the current one, unless there is another that
// acknowledges, or was chosen just now and may be about to.
func (w *Writer) claim(server int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == server {
		return
	}
	if w.current >= 0 {
		// A server that is writable and never answers must not keep another
		// one waiting each time it is chosen again.
		worse := w.silent[server] || !w.silent[w.current]
		last := w.acked
		if w.chosen.After(last) {
			last = w.chosen
		}
		if worse && time.Since(last) < w.opts.Patience {
			return
		}
	}
	w.move(server)
	w.chosen = time.Now()
}

// leave gives the server up, so that all are asked at once.
func (w *Writer) leave(server int, silent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent[server] = silent
	if w.current == server {
		w.move(-1)
	}
}

func (w *Writer) move(server int) {
	w.current = server
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Writer) where() (int, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current, w.changed
}

// take returns a number that no row has, or 0 at the limit.
func (w *Writer) take() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opts.Limit > 0 && len(w.acks) >= w.opts.Limit {
		return 0
	}
	w.nextSeq++
	return w.nextSeq
}

func (w *Writer) record(seq uint64, server int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The clock is read under the lock, so that acks are in order.
	w.acked = time.Now()
	w.silent[server] = false
	w.acks = append(w.acks, ack{seq, w.acked, server})
	if len(w.acks) == w.opts.Limit {
		close(w.full)
	}
}

// refused reports whether the server answered that it is read-only: 1290, or
// 1836 in the words of a server that closes itself.
func refused(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1290 || e.Number == 1836)
}
