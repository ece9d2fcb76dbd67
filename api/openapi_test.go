package api_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/batondb/baton/api"
)

// TestOpenAPI holds the document to the table and to what the specification demands of it.
func TestOpenAPI(t *testing.T) {
	f := newFixture(t, shop, func(o *api.Options) { o.Pprof = true })
	doc, err := f.OpenAPI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		OpenAPI string `json:"openapi"`
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Parameters  []struct {
				Name, In string
				Required bool
			}
			RequestBody *struct{ Content map[string]any }
			Responses   map[string]struct{ Description string }
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.") || d.Info.Title == "" || d.Info.Version == "" {
		t.Errorf("the head is %q %+v", d.OpenAPI, d.Info)
	}
	operations, ids := 0, make(map[string]string)
	for _, r := range f.server.Routes() {
		op, ok := d.Paths[r.Path][strings.ToLower(r.Method)]
		at := r.Method + " " + r.Path
		if !ok {
			t.Errorf("%s is missing", at)
			continue
		}
		operations++
		if other := ids[op.OperationID]; other != "" || op.OperationID == "" {
			t.Errorf("%s and %s are both operation %q", at, other, op.OperationID)
		}
		ids[op.OperationID] = at
		want := "200"
		if r.Status != 0 {
			want = strconv.Itoa(r.Status)
		}
		if op.Responses[want].Description == "" || op.Responses["default"].Description == "" || op.Summary != r.Doc {
			t.Errorf("%s has %+v", at, op)
		}
		if (op.RequestBody != nil) != (r.Request != nil) {
			t.Errorf("%s: a body is demanded or not, unlike the table", at)
		}
		inPath := regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(r.Path, -1)
		if len(op.Parameters) != len(inPath)+len(r.Query) {
			t.Errorf("%s has parameters %+v", at, op.Parameters)
		}
		for n, m := range inPath {
			if p := op.Parameters[n]; p.Name != m[1] || p.In != "path" || !p.Required {
				t.Errorf("%s: parameter %+v, want %s of the path", at, p, m[1])
			}
		}
	}
	for path, of := range d.Paths {
		operations -= len(of)
		if !strings.HasPrefix(path, "/") {
			t.Errorf("path %q", path)
		}
	}
	if operations != 0 {
		t.Errorf("the document has %d operations more than the table", -operations)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(raw), -1) {
		if d.Components.Schemas[ref[1]] == nil {
			t.Errorf("schema %s is referred to and not there", ref[1])
		}
	}
	node, _ := d.Components.Schemas["Node"].(map[string]any)
	properties, _ := node["properties"].(map[string]any)
	if properties["replicas"] == nil || properties["lag_seconds"] == nil {
		t.Errorf("the fields of a tree are %v", properties)
	}
}
