package demo

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/batondb/baton/internal/lab"
)

// Floor is what a failover costs somebody who knows everything beforehand and issues the bare statements, in milliseconds from the kill. It
// does one thing after the other; what Baton takes beyond it, where it does not do two at once, is Baton's.
type Floor struct {
	SocketsClose float64 `json:"sockets_close_ms"` // the kernel tears the killed server down before its connections end
	Freeze       float64 `json:"freeze_ms"`        // stop the receivers, at once
	Promote      float64 `json:"promote_ms"`       // stop, reset, open
	Repoint      float64 `json:"repoint_ms"`       // the siblings, at once
	WriteGap     float64 `json:"write_gap_ms"`     // first acknowledged write of the same client
}

// MeasureFloor kills the primary of a fleet of its own and promotes the first replica with bare statements.
func MeasureFloor(ctx context.Context, opts Options) (_ *Floor, err error) {
	l, err := lab.New(ctx, lab.Options{Cache: opts.Cache, Progress: opts.Progress})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	spec := lab.Spec{Flavor: opts.Flavor, Replicas: 3, SemiSync: 1}
	if opts.Async {
		spec.SemiSync = 0
	}
	t, err := l.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	writer := lab.StartWriter(ctx, t.Addrs(), lab.WriterOptions{})
	defer writer.Stop()
	if err := writer.WaitAcknowledged(ctx, t.Primary().Addr()); err != nil {
		return nil, err
	}
	idle, err := net.Dial("tcp", t.Primary().Addr())
	if err != nil {
		return nil, err
	}
	defer idle.Close()
	f := &Floor{}
	killed := time.Now()
	if err := t.Primary().Kill(); err != nil {
		return nil, err
	}
	if err := drainUntilClosed(idle); err != nil {
		return nil, err
	}
	f.SocketsClose = ms(time.Since(killed))
	words := statementsOf(opts.Flavor, !opts.Async)
	replicas := t.Replicas()
	if f.Freeze, err = timed(ctx, replicas, func(*lab.Server) []string { return words.freeze }); err != nil {
		return nil, err
	}
	if f.Promote, err = timed(ctx, replicas[:1], func(*lab.Server) []string { return words.promote }); err != nil {
		return nil, err
	}
	if f.Repoint, err = timed(ctx, replicas[1:], func(*lab.Server) []string { return words.follow(replicas[0]) }); err != nil {
		return nil, err
	}
	if err := writer.WaitAcknowledged(ctx, replicas[0].Addr()); err != nil {
		return nil, err
	}
	f.WriteGap = ms(writer.Stop().MaxGap)
	return f, nil
}

// drainUntilClosed returns when the other end is gone.
func drainUntilClosed(c net.Conn) error {
	buf := make([]byte, 512)
	for {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := c.Read(buf); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // net.Conn returns it bare
				return fmt.Errorf("the killed server keeps its connections: %w", err)
			}
			return nil
		}
	}
}

// timed runs statements on servers, all at once.
func timed(ctx context.Context, servers []*lab.Server, statements func(*lab.Server) []string) (float64, error) {
	errs := make([]error, len(servers))
	began := time.Now()
	var wg sync.WaitGroup
	for n, s := range servers {
		wg.Go(func() { errs[n] = s.Exec(ctx, statements(s)...) })
	}
	wg.Wait()
	took := ms(time.Since(began))
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

// bare are the statements of a failover by hand.
type bare struct {
	freeze, promote []string
	follow          func(*lab.Server) []string
}

func statementsOf(flavor lab.Flavor, semiSync bool) bare {
	if flavor == lab.MariaDB {
		b := bare{
			freeze:  []string{"STOP SLAVE IO_THREAD"},
			promote: []string{"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=0"},
			follow: func(p *lab.Server) []string {
				return []string{"STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%d, MASTER_USE_GTID=slave_pos", p.Host(), p.Port()), "START SLAVE"}
			},
		}
		if semiSync {
			b.promote = append([]string{"SET GLOBAL rpl_semi_sync_master_enabled=1"}, b.promote...)
		}
		return b
	}
	b := bare{
		freeze:  []string{"STOP REPLICA IO_THREAD"},
		promote: []string{"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only=0", "SET GLOBAL read_only=0"},
		follow: func(p *lab.Server) []string {
			return []string{"STOP REPLICA", fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='%s', SOURCE_PORT=%d, SOURCE_AUTO_POSITION=1", p.Host(), p.Port()), "START REPLICA"}
		},
	}
	if semiSync {
		b.promote = append([]string{"SET GLOBAL rpl_semi_sync_source_enabled=1"}, b.promote...)
	}
	return b
}

// String is the floor in one line.
func (f *Floor) String() string {
	return strings.Join([]string{
		fmt.Sprintf("sockets close %.1f ms", f.SocketsClose), fmt.Sprintf("freeze %.1f ms", f.Freeze), fmt.Sprintf("promote %.1f ms", f.Promote),
		fmt.Sprintf("repoint %.1f ms", f.Repoint), fmt.Sprintf("write gap %.1f ms", f.WriteGap),
	}, ", ")
}
