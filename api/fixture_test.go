package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/api/apitest"
	"github.com/batondb/baton/remediation"
)

var update = flag.Bool("update", false, "write the golden files")

const shop = `
cluster shop
db1 executed=u1:1-3000 dc=eu-1
  db2 executed=u1:1-3000 dc=eu-1 promotion=prefer
    db4 executed=u1:1-3000 dc=eu-1
  db3 executed=u1:1-2991 lag=12s dc=eu-2 promotion=must_not
`

const blog = `
cluster blog
web1 down since=40s executed=u2:1-500
  web2 receiver=connecting receiver_errno=2003 executed=u2:1-500
  web3 receiver=connecting receiver_errno=2003 executed=u2:1-400 retrieved=u2:1-500 lag=unknown
`

// fixture is a server over a service in memory, and a client of it.
type fixture struct {
	*api.Client
	t       *testing.T
	service *apitest.Service
	server  *api.Server
	url     string
	end     func() // returns when every request has been counted
}

func newFixture(t *testing.T, scenario string, alter ...func(*api.Options)) *fixture {
	t.Helper()
	service, err := apitest.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	service.Policies.Autonomy = remediation.Auto
	o := service.Options()
	o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics 1\n") })
	for _, f := range alter {
		f(&o)
	}
	server, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(server)
	t.Cleanup(ts.Close)
	client, err := api.NewClient(ts.URL, api.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{Client: client, t: t, service: service, server: server, url: ts.URL, end: ts.Close}
}

func signed() api.Signature { return api.Signature{By: "operator", Reason: "a drill"} }

// do sends a request as any program would.
func (f *fixture) do(method, path, body string, header ...string) (int, http.Header, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

// wantError demands an error of a code with the status that belongs to it, and returns it.
func (f *fixture) wantError(code api.Code, status int, body string) api.Error {
	f.t.Helper()
	var e api.Error
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code != code {
		f.t.Fatalf("got %d %s, want code %s", status, body, code)
	}
	for _, row := range api.Codes() {
		if row.Code == code && row.Status != status {
			f.t.Errorf("code %s came with status %d, the table says %d", code, status, row.Status)
		}
	}
	if e.Message == "" {
		f.t.Errorf("the error says nothing: %s", body)
	}
	return e
}

// golden compares JSON with a file of testdata, indented for reviewers.
func golden(t *testing.T, name string, raw string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(strings.TrimSpace(raw)), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the tests with -update", err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs; if that is right, run the tests with -update\ngot:\n%s\nwant:\n%s", path, b.String(), want)
	}
}
