package ledger

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestRaftLogsToSlog(t *testing.T) {
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	for _, tt := range []struct {
		name string
		log  func(l hclog.Logger)
		want string
	}{
		{"error", func(l hclog.Logger) { l.Error("broken", "err", "x") }, `level=ERROR msg="raft: broken" err=x`},
		{"warning", func(l hclog.Logger) { l.Warn("careful") }, `level=WARN msg="raft: careful"`},
		{"info is not for operators", func(l hclog.Logger) { l.Info("entering") }, `level=DEBUG msg="raft: entering"`},
		{"debug", func(l hclog.Logger) { l.Debug("detail") }, `level=DEBUG msg="raft: detail"`},
		{"trace is dropped", func(l hclog.Logger) { l.Trace("noise"); l.Log(hclog.Off, "noise") }, ""},
		{"with", func(l hclog.Logger) { l.With("peer", "b").Warn("gone") }, `level=WARN msg="raft: gone" peer=b`},
		{"formatted", func(l hclog.Logger) { l.Info("x", "servers", hclog.Fmt("%+v", []int{1})) }, `level=DEBUG msg="raft: x" servers=[1]`},
		{"standard logger", func(l hclog.Logger) { l.StandardLogger(nil).Print("old") }, `level=DEBUG msg=old`},
		{"standard writer", func(l hclog.Logger) { _, _ = l.StandardWriter(nil).Write([]byte("older\n")) }, `level=DEBUG msg=older`},
	} {
		var out bytes.Buffer
		l := raftLog{to: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: plain})), warn: slog.LevelWarn}
		tt.log(l)
		if got := strings.TrimSpace(out.String()); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRaftLogNamesAndLevels(t *testing.T) {
	var l hclog.Logger = raftLog{to: slog.New(slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelWarn})), warn: slog.LevelWarn}
	if l.IsTrace() || l.IsDebug() || l.IsInfo() || !l.IsWarn() || !l.IsError() {
		t.Error("the level of the handler does not count")
	}
	l.SetLevel(hclog.Trace)
	if l.IsDebug() || l.GetLevel() != hclog.NoLevel {
		t.Error("raft changed the level of the handler")
	}
	named := l.Named("a").Named("b").With("k", "v")
	if named.Name() != "a.b" || len(named.ImpliedArgs()) != 2 || named.ResetNamed("c").Name() != "c" || l.Name() != "" {
		t.Errorf("name %q, args %v", named.Name(), named.ImpliedArgs())
	}
}
