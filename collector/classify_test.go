package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

const (
	errConnRefused = syscall.ECONNREFUSED
	errConnReset   = syscall.ECONNRESET
)

// TestClassify is about errors that come without a probe, and about those that TestReach cannot provoke.
func TestClassify(t *testing.T) {
	server := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	asked := func(answered int, err error) error {
		return &Error{Instance: "db1:3306", Stage: StageQuestions, Answered: answered, Err: err}
	}
	tests := []struct {
		name  string
		err   error
		reach topology.Reach
		errno int
	}{
		{"nothing", nil, topology.ReachUp, 0},
		{"wrapped", fmt.Errorf("probe: %w", asked(0, server(1045))), topology.ReachDenied, 1045},
		{"user limit", asked(0, server(1203)), topology.ReachSaturated, 1203},
		{"resource limit", asked(0, server(1226)), topology.ReachSaturated, 1226},
		{"no thread", &Error{Err: server(1135)}, topology.ReachSaturated, 1135},
		{"no access to the database", asked(0, server(1044)), topology.ReachDenied, 1044},
		{"command denied", asked(3, server(1142)), topology.ReachDenied, 1142},
		{"account locked", &Error{Err: server(3118)}, topology.ReachDenied, 3118},
		{"shutting down", asked(0, server(1053)), topology.ReachPartial, 1053},
		{"lock wait", asked(2, server(1205)), topology.ReachPartial, 1205},
		{"no TLS there", &Error{Err: mysql.ErrNoTLS}, topology.ReachDenied, 0},
		{"no cleartext passwords", &Error{Stage: StageHandshake, Err: mysql.ErrCleartextPassword}, topology.ReachDenied, 0},
		{"deadline", asked(0, os.ErrDeadlineExceeded), topology.ReachTimeout, 2013},
		{"context deadline", asked(0, context.DeadlineExceeded), topology.ReachTimeout, 2013},
		{"deadline after an answer", asked(1, os.ErrDeadlineExceeded), topology.ReachPartial, 2013},
		{"keepalive gave up", asked(0, syscall.ETIMEDOUT), topology.ReachTimeout, 2013},
		{"cancelled", asked(0, context.Canceled), topology.ReachUnknown, 0},
		{"we closed it", asked(0, net.ErrClosed), topology.ReachUnknown, 0},
		{"network down", &Error{Err: syscall.ENETUNREACH}, topology.ReachRefused, 2003},
		{"no local port", &Error{Err: syscall.EADDRNOTAVAIL}, topology.ReachUnknown, 0},
		{"not ours to tell", errors.New("what is this"), topology.ReachUnknown, 0},
		{"an answer that makes no sense", asked(1, errAnswers), topology.ReachPartial, 2013},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if reach, errno := Classify(tt.err); reach != tt.reach || errno != tt.errno {
				t.Errorf("%v %d, want %v %d", reach, errno, tt.reach, tt.errno)
			}
		})
	}
}
