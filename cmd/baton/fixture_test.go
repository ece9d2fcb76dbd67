package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/api/apitest"
	"github.com/batondb/baton/remediation"
)

var update = flag.Bool("update", false, "write the golden files")

// shop is a cluster in which everything can be asked for: a lagging replica, one that nobody may promote, and one below another.
const shop = `
cluster shop
db1 executed=u1:1-3000 dc=eu-1
  db2 executed=u1:1-3000 dc=eu-1 promotion=prefer
    db4 executed=u1:1-3000 dc=eu-1
  db3 executed=u1:1-2991 lag=12s dc=eu-2 promotion=must_not
`

// blog has lost its primary.
const blog = `
cluster blog
web1 down since=40s executed=u2:1-500
  web2 receiver=connecting receiver_errno=2003 executed=u2:1-500
  web3 receiver=connecting receiver_errno=2003 executed=u2:1-400 retrieved=u2:1-500 lag=unknown
`

// fixture is the program, a server, and a service in memory behind it.
type fixture struct {
	t       *testing.T
	service *apitest.Service
	url     string

	mu       sync.Mutex
	requests []request
}

type request struct{ method, path, query, body string }

func newFixture(t *testing.T, scenario string) *fixture {
	t.Helper()
	for name, value := range map[string]string{"BATON_BY": "operator", "BATON_URL": "", "BATON_TIMEOUT": ""} {
		t.Setenv(name, value)
	}
	service, err := apitest.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	service.Policies.Autonomy = remediation.Auto
	server, err := api.New(service.Options())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, service: service}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.mu.Lock()
		f.requests = append(f.requests, request{r.Method, r.URL.Path, r.URL.RawQuery, string(body)})
		f.mu.Unlock()
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(ts.Close)
	f.url = ts.URL
	return f
}

// changes returns the requests that could have changed something, and forgets all requests.
func (f *fixture) changes() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []request
	for _, r := range f.requests {
		if r.method != http.MethodGet && r.path != "/api/v1/plans" {
			out = append(out, r)
		}
	}
	f.requests = nil
	return out
}

type result struct {
	code     int
	out, err string
}

// baton runs the program where nobody can be asked.
func (f *fixture) baton(args ...string) result {
	return f.on(&terminal{in: strings.NewReader("")}, append([]string{"--url", f.url}, args...)...)
}

// person runs it on a terminal on which a person types something.
func (f *fixture) person(typed string, args ...string) result {
	return f.on(&terminal{in: strings.NewReader(typed), asks: true}, append([]string{"--url", f.url}, args...)...)
}

func (f *fixture) on(term *terminal, args ...string) result {
	f.t.Helper()
	var out, errOut bytes.Buffer
	term.out, term.err = &out, &errOut
	term.now = func() time.Time { return f.service.At }
	code := term.run(f.t.Context(), append([]string{"baton"}, args...))
	return result{code, out.String(), errOut.String()}
}

func (r result) wantCode(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nout: %s\nerr: %s", r.code, code, r.out, r.err)
	}
	return r
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the tests with -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is right, run the tests with -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
