package mysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// errNoChannel is what can be said of replication on an instance that has none.
var errNoChannel = errors.New("it replicates from nobody")

// stopReceiver takes one round trip, whatever it finds: a receiver that has stopped stays so, and so does one that never was.
func stopReceiver(ctx context.Context, s *session, _ remediation.Step) error {
	_, err := s.change(ctx, s.on(s.stopReceiver))
	return err
}

// startReplication starts both threads. MariaDB drops its relay logs when a thread is started and both had stopped, so there it is refused while
// they hold something.
func startReplication(ctx context.Context, s *session, _ remediation.Step) error {
	if s.mariaDB {
		st, err := s.readState(ctx)
		if err != nil {
			return err
		}
		if err := st.startDropsNothing(); err != nil {
			return err
		}
	}
	_, err := s.change(ctx, s.on(s.start))
	if errno(err) == 1200 {
		return fmt.Errorf("%w (%w)", errNoChannel, err)
	}
	return err
}

// startDropsNothing refuses where starting a thread of a MariaDB replica would drop its relay logs before they are applied.
func (st *state) startDropsNothing() error {
	if !st.channel || !st.byGTID || st.receiver != topology.ReceiverStopped || st.applier != topology.ApplierStopped {
		return nil
	}
	return st.mustBeApplied()
}

// restartReceiver makes a receiver connect again. MariaDB drops its relay logs if its applier ends just then, so there everything must be applied.
//
// The receiver gets a second to connect instead of a minute. A source that hangs accepts the connection and says nothing, and a receiver that waits
// for its first word cannot be stopped before that wait is over: MySQL 9.7 takes two seconds for it. With the shorter wait the receiver says by
// an error that it has lost its source, and stops at once when it is asked to. The setting is read when the receiver connects, which is why it is
// put back only a moment later, and it is put back in the same batch, so that a Baton that dies meanwhile leaves nothing behind. A receiver that
// does connect keeps the short wait until its source has been silent for it once.
func restartReceiver(ctx context.Context, s *session, _ remediation.Step) error {
	if s.mariaDB {
		st, err := s.readState(ctx)
		if err != nil {
			return err
		}
		if !st.channel {
			return errNoChannel
		}
		if err := st.mustBeApplied(); err != nil {
			return err
		}
	}
	before := []string{s.on(s.stopReceiver)}
	if s.mariaDB {
		before = append(killReceiver(), before...)
	}
	back := "SET GLOBAL " + s.netTimeout + "=IFNULL(@baton_net_timeout, @@GLOBAL." + s.netTimeout + ")"
	_, err := s.change(ctx, append(before, "SET @baton_net_timeout=@@GLOBAL."+s.netTimeout, "SET GLOBAL "+s.netTimeout+"=1",
		s.on(s.startReceiver), "DO SLEEP(0.05)", back)...)
	if err != nil {
		_, undone := s.change(ctx, back)
		err = errors.Join(err, undone)
	}
	if errno(err) == 1200 {
		return fmt.Errorf("%w (%w)", errNoChannel, err)
	}
	return err
}

// killReceiver ends the receiver of a MariaDB replica like a stop does, but at once: a receiver that waits for a word of a source that hangs needs
// two seconds to notice a stop, and none for a kill that comes before it. Where there are several receivers none is killed, for the list of
// connections does not say whose they are.
func killReceiver() []string {
	return []string{
		"SET @baton_receiver=(SELECT IF(COUNT(*)=1, MAX(id), NULL) FROM information_schema.processlist WHERE command='Slave_IO')",
		"EXECUTE IMMEDIATE IF(@baton_receiver IS NULL, 'DO 0', CONCAT('KILL ', @baton_receiver))",
		"DO SLEEP(0.02)",
	}
}
