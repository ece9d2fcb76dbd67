package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
)

// Code says what kind of error it is, for programs. It is one of the closed set in Codes.
type Code string

// The codes. CodeUnreachable is never on the wire: it is what the client says when there is no answer.
const (
	CodeBadRequest         Code = "bad_request"
	CodeUnsupported        Code = "unsupported_media_type"
	CodeTooLarge           Code = "too_large"
	CodeUnknownPath        Code = "unknown_path"
	CodeMethodNotAllowed   Code = "method_not_allowed"
	CodeUnknownCluster     Code = "unknown_cluster"
	CodeUnknownInstance    Code = "unknown_instance"
	CodeUnknownRule        Code = "unknown_rule"
	CodeUnknownRecovery    Code = "unknown_recovery"
	CodeNotFound           Code = "not_found"
	CodeConflict           Code = "conflict"
	CodeRefused            Code = "refused"
	CodeRecoveryOpen       Code = "recovery_open"
	CodePaused             Code = "paused"
	CodeHeld               Code = "held"
	CodeInstanceUnreadable Code = "instance_unreadable"
	CodeNoLeader           Code = "no_leader"
	CodeNotReady           Code = "not_ready"
	CodeUncertain          Code = "uncertain"
	CodeTimeout            Code = "timeout"
	CodeInternal           Code = "internal"
	CodeUnreachable        Code = "unreachable"
)

// The exit codes of the command line.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitProblems    = 3 // a check found problems
	ExitRefused     = 4 // a gate does not pass
	ExitUnreachable = 5 // no Baton answers, or none leads
)

// CodeRow is what belongs to a code: the HTTP status it is sent with and the exit code of the command line that meets it.
type CodeRow struct {
	Code   Code
	Status int
	Exit   int
	Doc    string
}

// Codes is the one table of codes.
func Codes() []CodeRow {
	return []CodeRow{
		{CodeBadRequest, http.StatusBadRequest, ExitUsage, "The request is malformed; the message names the field."},
		{CodeUnsupported, http.StatusUnsupportedMediaType, ExitUsage, "The body is not application/json."},
		{CodeTooLarge, http.StatusRequestEntityTooLarge, ExitUsage, "The body is larger than 1 MiB."},
		{CodeUnknownPath, http.StatusNotFound, ExitFailed, "There is no such path."},
		{CodeMethodNotAllowed, http.StatusMethodNotAllowed, ExitFailed, "The path does not take this method."},
		{CodeUnknownCluster, http.StatusNotFound, ExitUsage, "There is no cluster of this name; the hint names the nearest."},
		{CodeUnknownInstance, http.StatusNotFound, ExitUsage, "There is no instance of this name; the hint names the nearest."},
		{CodeUnknownRule, http.StatusNotFound, ExitUsage, "There is no rule of this name; the hint names the nearest."},
		{CodeUnknownRecovery, http.StatusNotFound, ExitUsage, "There is no recovery of this id."},
		{CodeNotFound, http.StatusNotFound, ExitFailed, "What was to be ended is not there."},
		{CodeConflict, http.StatusConflict, ExitFailed, "The present state forbids it."},
		{CodeRefused, http.StatusConflict, ExitRefused, "A gate does not pass; the details hold every gate with its evidence."},
		{CodeRecoveryOpen, http.StatusConflict, ExitRefused, "The cluster has an open recovery already."},
		{CodePaused, http.StatusConflict, ExitRefused, "Operators paused it."},
		{CodeHeld, http.StatusConflict, ExitRefused, "Somebody else holds it in maintenance."},
		{CodeInstanceUnreadable, http.StatusBadGateway, ExitFailed, "The instance could not be read; the message says why."},
		{CodeNoLeader, http.StatusServiceUnavailable, ExitUnreachable, "No node leads, or the leader's address is not known."},
		{CodeNotReady, http.StatusServiceUnavailable, ExitUnreachable, "This node cannot serve yet, or is stopping."},
		{CodeUncertain, http.StatusServiceUnavailable, ExitFailed, "It may or may not have been agreed on: look before asking again."},
		{CodeTimeout, http.StatusGatewayTimeout, ExitUnreachable, "It took too long."},
		{CodeInternal, http.StatusInternalServerError, ExitFailed, "A fault of Baton's own."},
		{CodeUnreachable, 0, ExitUnreachable, "No Baton answers at the address."},
	}
}

func (c Code) row() CodeRow {
	for _, row := range Codes() {
		if row.Code == c {
			return row
		}
	}
	return CodeRow{Code: c, Status: http.StatusInternalServerError, Exit: ExitFailed}
}

// Error is an error as it is on the wire.
type Error struct {
	Code    Code            `json:"code"`
	Message string          `json:"message"`
	Hint    string          `json:"hint,omitempty"`    // what to do about it
	Details json.RawMessage `json:"details,omitempty"` // for some codes: the Refusal, or the field at fault
}

// Error gives the message and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Exit returns the exit code of a command that ends with this error.
func (e *Error) Exit() int { return e.Code.row().Exit }

// Refusal returns the gates of a refusal; ok is false for any other error.
func (e *Error) Refusal() (r Refusal, ok bool) {
	if e.Code != CodeRefused || json.Unmarshal(e.Details, &r) != nil {
		return Refusal{}, false
	}
	return r, true
}

// fail makes an error of one code.
func fail(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// with adds a hint.
func (e *Error) with(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) detailed(details any) *Error {
	raw, err := json.Marshal(details)
	if err == nil {
		e.Details = raw
	}
	return e
}

// badField names the field of a request that is wrong.
func badField(field, format string, args ...any) *Error {
	return fail(CodeBadRequest, "%s: %s", field, fmt.Sprintf(format, args...)).detailed(map[string]string{"field": field})
}

// errorOf turns whatever a handler returned into what goes on the wire.
func errorOf(err error) *Error {
	var wire *Error
	var refusal *remediation.Refusal
	switch {
	case errors.As(err, &wire):
		return wire
	case errors.As(err, &refusal):
		r := refusalOf(refusal)
		return (&Error{Code: CodeRefused, Message: r.Text, Hint: r.Hint}).detailed(r)
	}
	if e := ledgerError(err); e != nil {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(CodeTimeout, "%s", err)
	case errors.Is(err, context.Canceled):
		return fail(CodeNotReady, "given up: %s", err)
	}
	return fail(CodeInternal, "%s", err)
}

// ledgerError names the errors of the ledger; nil for any other.
func ledgerError(err error) *Error {
	var (
		notLeader ledger.ErrNotLeader
		invalid   ledger.ErrInvalid
		notFound  ledger.ErrNotFound
		conflict  ledger.ErrConflict
		stale     ledger.ErrStale
		open      ledger.ErrRecoveryOpen
		paused    ledger.ErrPaused
		held      ledger.ErrHeld
	)
	switch {
	case errors.Is(err, ledger.ErrUncertain):
		return fail(CodeUncertain, "%s", err).with("look whether it is there before asking again")
	case errors.As(err, &notLeader):
		return fail(CodeNoLeader, "%s", notLeader)
	case errors.Is(err, ledger.ErrStopped):
		return fail(CodeNotReady, "%s", err)
	case errors.As(err, &invalid):
		return badField(invalid.Field, "%s", invalid.Problem)
	case errors.As(err, &notFound):
		return fail(CodeNotFound, "%s", notFound)
	case errors.As(err, &open):
		return fail(CodeRecoveryOpen, "%s", open).with("baton recovery show %s", open.ID)
	case errors.As(err, &paused):
		return fail(CodePaused, "%s", paused)
	case errors.As(err, &held):
		return fail(CodeHeld, "%s", held)
	case errors.As(err, &conflict):
		return fail(CodeConflict, "%s", conflict)
	case errors.As(err, &stale):
		return fail(CodeConflict, "%s", stale).with("something changed meanwhile: look, and ask again")
	}
	return nil
}
