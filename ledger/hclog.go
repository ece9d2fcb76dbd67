package ledger

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"slices"

	"github.com/hashicorp/go-hclog"
)

// raftLog lets raft, which speaks hclog, write to a slog.Logger. Raft's Info is Baton's Debug: what an operator should
// read about leadership the ledger says itself.
type raftLog struct {
	to   *slog.Logger
	name string
	args []any
	warn slog.Level // the level of raft's warnings
}

var _ hclog.Logger = raftLog{}

func (l raftLog) Log(level hclog.Level, msg string, args ...any) {
	to := l.slogLevel(level)
	if level == hclog.Off || !l.to.Enabled(context.Background(), to) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		if s, ok := args[i].(fmt.Stringer); ok {
			args[i] = s.String() // now: raft goes on changing what it logs
		}
	}
	l.to.Log(context.Background(), to, "raft: "+msg, args...)
}

func (l raftLog) slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Error:
		return slog.LevelError
	case hclog.Warn:
		return l.warn
	default:
		return slog.LevelDebug
	}
}

func (l raftLog) enabled(level hclog.Level) bool {
	return l.to.Enabled(context.Background(), l.slogLevel(level))
}

func (l raftLog) Trace(string, ...any)                {}
func (l raftLog) Debug(msg string, args ...any)       { l.Log(hclog.Debug, msg, args...) }
func (l raftLog) Info(msg string, args ...any)        { l.Log(hclog.Info, msg, args...) }
func (l raftLog) Warn(msg string, args ...any)        { l.Log(hclog.Warn, msg, args...) }
func (l raftLog) Error(msg string, args ...any)       { l.Log(hclog.Error, msg, args...) }
func (l raftLog) IsTrace() bool                       { return false }
func (l raftLog) IsDebug() bool                       { return l.enabled(hclog.Debug) }
func (l raftLog) IsInfo() bool                        { return l.enabled(hclog.Info) }
func (l raftLog) IsWarn() bool                        { return l.enabled(hclog.Warn) }
func (l raftLog) IsError() bool                       { return l.enabled(hclog.Error) }
func (l raftLog) ImpliedArgs() []any                  { return l.args }
func (l raftLog) Name() string                        { return l.name }
func (l raftLog) ResetNamed(name string) hclog.Logger { l.name = name; return l }
func (l raftLog) SetLevel(hclog.Level)                {} // the handler behind slog decides
func (l raftLog) GetLevel() hclog.Level               { return hclog.NoLevel }

func (l raftLog) With(args ...any) hclog.Logger {
	l.args = append(slices.Clip(l.args), args...)
	l.to = l.to.With(args...)
	return l
}

func (l raftLog) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l raftLog) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.to.Handler(), slog.LevelDebug)
}

func (l raftLog) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	return l.StandardLogger(opts).Writer()
}
