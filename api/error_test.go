package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
)

func TestCodes(t *testing.T) {
	seen := make(map[Code]bool)
	for _, row := range Codes() {
		if seen[row.Code] || row.Doc == "" || !strings.HasSuffix(row.Doc, ".") {
			t.Errorf("%s is there twice or has no document", row.Code)
		}
		seen[row.Code] = true
		if row.Exit == ExitDone || row.Exit > ExitUnreachable || row.Exit == ExitProblems {
			t.Errorf("%s ends with %d", row.Code, row.Exit)
		}
		if (row.Status < 400 || row.Status > 599) && row.Code != CodeUnreachable {
			t.Errorf("%s has status %d", row.Code, row.Status)
		}
	}
}

// TestErrorOf: every error that a part returns has its code, however deep it is wrapped, and keeps its words.
func TestErrorOf(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		err  error
		code Code
	}{
		{badField("by", "say who"), CodeBadRequest},
		{&remediation.Refusal{Reason: remediation.GateLag, Text: "db2 lags", Gates: []remediation.Gate{{Name: remediation.GateLag}}}, CodeRefused},
		{ledger.ErrNotLeader{Leader: "b"}, CodeNoLeader},
		{ledger.ErrInvalid{Field: "until", Problem: "is over"}, CodeBadRequest},
		{ledger.ErrNotFound{What: "downtime of", Name: "db1"}, CodeNotFound},
		{ledger.ErrConflict{Problem: "it was deposed"}, CodeConflict},
		{ledger.ErrStale{What: "the epoch", Seen: 1, Now: 2}, CodeConflict},
		{ledger.ErrRecoveryOpen{Cluster: "shop", ID: "r1"}, CodeRecoveryOpen},
		{ledger.ErrPaused{Pause: ledger.Pause{By: "somebody"}}, CodePaused},
		{ledger.ErrHeld{Maintenance: ledger.Maintenance{Owner: "somebody", Until: at}}, CodeHeld},
		{ledger.ErrStopped, CodeNotReady},
		{fmt.Errorf("%w: %w", ledger.ErrUncertain, ledger.ErrNotLeader{}), CodeUncertain},
		{fmt.Errorf("%w: %w", ledger.ErrUncertain, context.DeadlineExceeded), CodeUncertain},
		{context.DeadlineExceeded, CodeTimeout},
		{context.Canceled, CodeNotReady},
		{errors.New("a fault"), CodeInternal},
	} {
		e := errorOf(fmt.Errorf("do it: %w", c.err))
		if e.Code != c.code {
			t.Errorf("%v became %s, want %s", c.err, e.Code, c.code)
		}
		if e.Message == "" {
			t.Errorf("%v lost its words", c.err)
		}
	}
	r, ok := errorOf(&remediation.Refusal{Reason: remediation.GateLag, Text: "db2 lags", Gates: []remediation.Gate{{Name: remediation.GateLag, Evidence: "12s"}}}).Refusal()
	if !ok || r.Reason != "lag" || len(r.Gates) != 1 || r.Gates[0].Evidence != "12s" || r.Gates[0].Passes() {
		t.Errorf("the gates of a refusal are lost: %+v", r)
	}
	if _, ok := fail(CodeConflict, "x").Refusal(); ok {
		t.Error("a conflict is taken for a refusal")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"shop", "shop2", "blog", "db1.example.com:3306", "db2.example.com:3306"}
	for name, want := range map[string][]string{
		"shpo": {"shop", "shop2"}, "SHOP": {"shop", "shop2"}, "shop3": {"shop", "shop2"}, "db1:3306": nil, "db1.example.com": {"db1.example.com:3306"},
		"zzzzzz": nil, "db": {"db1.example.com:3306", "db2.example.com:3306"},
	} {
		got := Nearest(name, names)
		if !slices.Equal(got, want) {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"90m", "-1s", "0", "1e9h", "9999999h", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Duration
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if d <= 0 {
			t.Errorf("%q is read as %s, which does not lie ahead", text, d)
		}
		var again Duration
		if raw, _ := d.MarshalText(); again.UnmarshalText(raw) != nil || again != d {
			t.Errorf("%q is written as %s and read again as %s", text, d, again)
		}
	})
}

// FuzzDecode: whatever is sent, the answer is the request or an error that is the sender's.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"kind":"failover","allow":["lag"],"by":"x"}`, `{"allow":[[1]]}`, `{"for":"1h"}`, `[]`, `null`, `{"by":"a","by":"b"}`, "\x00", `{"kind":1e400}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, into := range []any{&RecoveryRequest{}, &DowntimeRequest{}, &Signature{}} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if err := decode(r, into); err != nil && errorOf(err).Code != CodeBadRequest {
				t.Errorf("%q is answered with %s: %v", body, errorOf(err).Code, err)
			}
		}
	})
}
