package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

// Stage is how far an attempt had come when it failed.
type Stage uint8

// The stages of an attempt, in order.
const (
	StageDial      Stage = iota // no connection yet
	StageHandshake              // connected, not authenticated
	StageQuestions              // authenticated
)

// Error is why an attempt failed, and what was learnt before it did.
type Error struct {
	Instance topology.InstanceID
	Stage    Stage
	Heard    bool   // the server sent at least one byte of its own
	Answered int    // questions answered by this attempt
	Question string // the one that failed; "" before the first

	MissingGrants []string // what would have helped, each as a GRANT statement
	Err           error
}

// Error says it in one sentence that names the server and, where a person can mend it, the remedy. It holds no secret: neither the driver
// nor the servers put passwords into their errors.
func (e *Error) Error() string {
	id := string(e.Instance)
	if dns, ok := errors.AsType[*net.DNSError](e.Err); ok {
		return fmt.Sprintf("%s: host %s does not resolve: %s", id, dns.Name, dns.Err)
	}
	reason := plainReason(e)
	var text string
	switch {
	case e.Question != "":
		text = fmt.Sprintf("%s: ask for %s: %s", id, e.Question, reason)
	case e.Stage == StageDial:
		text = fmt.Sprintf("%s: connect: %s", id, reason)
	default:
		text = fmt.Sprintf("%s: log in: %s", id, reason)
	}
	if len(e.MissingGrants) > 0 {
		text += "; run there: " + strings.Join(e.MissingGrants, "; ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// plainReason drops what Go's network errors say about sockets and local ports, which changes from attempt to attempt.
func plainReason(e *Error) string {
	if isTimeout(e.Err) {
		return "no answer in time"
	}
	if no, ok := errors.AsType[syscall.Errno](e.Err); ok {
		return no.Error()
	}
	if brokenOff(e.Err) {
		return "the connection was closed"
	}
	return e.Err.Error()
}

// The numbers of client libraries that people know from other tools; used where the server itself sent none.
const (
	errnoConnect         = 2003
	errnoResolve         = 2005
	errnoLost            = 2013
	errnoUnknownVariable = 1193 // unknown system variable
)

// serverSays maps error numbers of servers to what they prove. All of them come from a living server; those that are missing here are a half
// answer.
var serverSays = map[uint16]topology.Reach{
	1040: topology.ReachSaturated, // too many connections
	1041: topology.ReachSaturated, // out of memory
	1135: topology.ReachSaturated, // no thread for another connection
	1203: topology.ReachSaturated, // max_user_connections
	1226: topology.ReachSaturated, // a resource limit of the account

	1044: topology.ReachDenied, // no access to the database
	1045: topology.ReachDenied, // access denied
	1129: topology.ReachDenied, // host is blocked
	1130: topology.ReachDenied, // host is not allowed
	1142: topology.ReachDenied, // command denied
	1143: topology.ReachDenied, // column denied
	1227: topology.ReachDenied, // privilege missing
	1251: topology.ReachDenied, // authentication protocol
	1524: topology.ReachDenied, // authentication plugin not loaded
	1698: topology.ReachDenied, // access denied, without password
	1820: topology.ReachDenied, // password must be changed
	1862: topology.ReachDenied, // password has expired
	3118: topology.ReachDenied, // account is locked
	3159: topology.ReachDenied, // a secure transport is required
	4151: topology.ReachDenied, // account is locked (MariaDB)
}

// Classify says what the error of an attempt proves about the server, and its error number where there is one. Whoever answered anything is
// alive; and what is our own trouble, such as a name that does not resolve or a lack of file descriptors, proves nothing.
func Classify(err error) (reach topology.Reach, errno int) {
	if err == nil {
		return topology.ReachUp, 0
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Err: err}
	}
	if server, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyServer(e, server.Number), int(server.Number)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return topology.ReachUnknown, errnoResolve
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		return topology.ReachUnknown, 0
	}
	if refusesUs(err) {
		return topology.ReachDenied, 0
	}
	return classifyNetwork(e)
}

func classifyServer(e *Error, number uint16) topology.Reach {
	if reach, ok := serverSays[number]; ok {
		return reach
	}
	if e.Stage < StageQuestions {
		return topology.ReachDenied
	}
	return topology.ReachPartial
}

// classifyNetwork is for failures without a word from the server.
func classifyNetwork(e *Error) (topology.Reach, int) {
	number := errnoConnect
	if e.Stage > StageDial {
		number = errnoLost
	}
	switch {
	case e.Answered > 0:
		return topology.ReachPartial, errnoLost
	case isTimeout(e.Err):
		return topology.ReachTimeout, number
	case isAny(e.Err, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN):
		return topology.ReachRefused, number
	case !brokenOff(e.Err):
		return topology.ReachUnknown, 0
	case e.Heard || e.Stage == StageQuestions:
		// It greeted us and then went away. The next attempt will tell.
		return topology.ReachPartial, number
	}
	return topology.ReachRefused, number
}

// brokenOff reports whether the other side, or somebody on the way, ended the connection.
func brokenOff(err error) bool {
	return isAny(err, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED) || isEOF(err) || isDriverGone(err)
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// refusesUs reports whether the handshake failed because the two sides cannot agree: the server is alive, but not for us.
func refusesUs(err error) bool {
	for _, known := range []error{
		mysql.ErrNoTLS, mysql.ErrOldProtocol, mysql.ErrNativePassword, mysql.ErrCleartextPassword, mysql.ErrOldPassword,
		mysql.ErrUnknownPlugin,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return record || alert || certificate
}

func isAny(err error, numbers ...syscall.Errno) bool {
	no, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return false
	}
	return slices.Contains(numbers, no)
}

// missingGrants returns what an attempt found to be lacking.
func missingGrants(err error) []string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.MissingGrants
	}
	return nil
}
