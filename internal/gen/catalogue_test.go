package gen

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/batondb/baton/collector"
	"github.com/batondb/baton/topology"
)

// family is one family of metrics that Baton exports.
type family struct {
	help   string
	kind   dto.MetricType
	labels []string // sorted
}

// catalogue is all families by name: those of the collector as a registry gives them, and those of the service and the API, which need a whole
// service to be gathered, as their sources declare them.
func catalogue(t *testing.T) map[string]family {
	t.Helper()
	all := declared(t, "../service/*.go", "../../api/*.go")
	for _, f := range gathered(t, fleetOfExamples) {
		all[f.GetName()] = familyOf(f)
	}
	return all
}

func familyOf(f *dto.MetricFamily) family {
	set := make(map[string]bool)
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			set[l.GetName()] = true
		}
	}
	return family{f.GetHelp(), f.GetType(), slices.Sorted(maps.Keys(set))}
}

// fleetOfExamples has something of everything that the collector exports.
const fleetOfExamples = `
cluster shop named primary=db1:3306 members=db1:3306,db2:3306,db3:3306,db4:3306
db1 executed=u1:1-100 semisync_source=on semisync_clients=1 semisync_wait_for=1 dc=north-1 region=north
  db2 executed=u1:1-98 retrieved=u1:1-100 lag=3s semisync_replica=on dc=north-1 region=north downtime=2h
  db3 down since=40s executed=u1:1-90
  db4 executed=u1:1-100 receiver=connecting receiver_errno=2003
`

// nobody is a Prober of servers that do not matter.
type nobody struct{}

func (nobody) Probe(context.Context, topology.InstanceID) (topology.Facts, error) {
	return topology.Facts{}, nil
}
func (nobody) Refresh(topology.InstanceID) {}
func (nobody) Drop(topology.InstanceID)    {}

// gathered registers all that the collector exports, over a fleet, and gathers it.
func gathered(t *testing.T, fleet string) []*dto.MetricFamily {
	t.Helper()
	in, err := topology.Parse(fleet)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := topology.Build(in)
	reg := prometheus.NewPedanticRegistry()
	m, err := collector.NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collector.New(collector.Options{Prober: nobody{}, Metrics: m}); err != nil {
		t.Fatal(err)
	}
	access := collector.Access{Credentials: func() (string, string) { return "", "" }}
	if _, err := collector.NewSentinel(collector.SentinelOptions{Access: access, Metrics: m}); err != nil {
		t.Fatal(err)
	}
	reg.MustRegister(collector.NewExporter(func() *topology.Snapshot { return snapshot }))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

var metricName = regexp.MustCompile(`^baton_[a-z0-9_]+$`)

// declared reads which families sources declare: every string that is the name of a metric, the help beside it, and the labels that are given with
// it, to the call or to the vector around it.
func declared(t *testing.T, patterns ...string) map[string]family {
	t.Helper()
	all := make(map[string]family)
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: nothing is there: %v", pattern, err)
		}
		r := reader{lists: make(map[string][]string), names: make(map[string]string), found: all}
		var files []*ast.File
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, read := range []func(ast.Node, []ast.Node){r.list, r.family, r.histogram} {
			for _, f := range files {
				withParents(f, read)
			}
		}
	}
	return all
}

// withParents visits every node with those around it, the nearest last.
func withParents(f *ast.File, visit func(ast.Node, []ast.Node)) {
	var around []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		visit(n, around)
		around = append(around, n)
		return true
	})
}

type reader struct {
	lists map[string][]string // lists of strings by the name of their variable
	names map[string]string   // metrics by the variable that holds their description
	found map[string]family
}

// list notes the variables that hold labels.
func (r *reader) list(n ast.Node, _ []ast.Node) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, v := range n.Values {
			r.note(n.Names[i].Name, v)
		}
	case *ast.AssignStmt:
		for i, v := range n.Rhs {
			if id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok {
				r.note(id.Name, v)
			}
		}
	}
}

func (r *reader) note(name string, value ast.Expr) {
	if c, ok := value.(*ast.CompositeLit); ok {
		if words := r.strings(c); len(words) > 0 {
			r.lists[name] = words
		}
	}
}

// strings returns the strings that an expression lists.
func (r *reader) strings(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{s}
		}
	case *ast.Ident:
		return r.lists[e.Name]
	case *ast.CompositeLit:
		var all []string
		for _, x := range e.Elts {
			if kv, ok := x.(*ast.KeyValueExpr); ok {
				x = kv.Key // of constant labels
			}
			all = append(all, r.strings(x)...)
		}
		return all
	}
	return nil
}

// family notes a string that is the name of a metric.
func (r *reader) family(n ast.Node, around []ast.Node) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	name, err := strconv.Unquote(lit.Value)
	if err != nil || !metricName.MatchString(name) {
		return
	}
	f := family{kind: dto.MetricType_GAUGE}
	if strings.HasSuffix(name, "_total") {
		f.kind = dto.MetricType_COUNTER
	}
	for _, parent := range slices.Backward(around) {
		switch p := parent.(type) {
		case *ast.CallExpr:
			r.call(&f, p)
		case *ast.CompositeLit:
			r.options(&f, p)
		case *ast.ValueSpec:
			if len(p.Names) == 1 {
				r.names[p.Names[0].Name] = name
			}
		}
		if _, statement := parent.(ast.Stmt); statement {
			break
		}
	}
	slices.Sort(f.labels)
	f.labels = slices.Compact(f.labels)
	r.found[name] = f
}

// call reads name, help, labels..., or a vector of options and labels.
func (r *reader) call(f *family, c *ast.CallExpr) {
	name := called(c)
	switch {
	case name == "histogram":
		f.kind = dto.MetricType_HISTOGRAM
	case strings.HasSuffix(name, "Vec") && len(c.Args) > 1:
		f.labels = append(f.labels, r.strings(c.Args[1])...)
		return
	case name != "desc" && name != "NewDesc" && name != "counter" && name != "gauge":
		return
	}
	if help := r.strings(c.Args[1]); f.help == "" && len(help) == 1 {
		f.help = help[0]
	}
	for _, a := range c.Args[2:] {
		f.labels = append(f.labels, r.strings(a)...)
	}
}

// options reads CounterOpts{Name, Help, ConstLabels}.
func (r *reader) options(f *family, c *ast.CompositeLit) {
	if s, ok := c.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "HistogramOpts" {
		f.kind = dto.MetricType_HISTOGRAM
	}
	for _, e := range c.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch key, _ := kv.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Help":
			f.help = strings.Join(r.strings(kv.Value), "")
		case key.Name == "ConstLabels":
			f.labels = append(f.labels, r.strings(kv.Value)...)
		}
	}
}

// histogram notes a description that is used for one.
func (r *reader) histogram(n ast.Node, _ []ast.Node) {
	c, ok := n.(*ast.CallExpr)
	if !ok || called(c) != "MustNewConstHistogram" {
		return
	}
	if id, ok := c.Args[0].(*ast.Ident); ok {
		f := r.found[r.names[id.Name]]
		f.kind = dto.MetricType_HISTOGRAM
		r.found[r.names[id.Name]] = f
	}
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// TestReaderAgreesWithTheRegistry holds the reader of sources to its word where both can be asked.
func TestReaderAgreesWithTheRegistry(t *testing.T) {
	said := declared(t, "../../collector/exporter.go")
	checked := 0
	for _, f := range gathered(t, fleetOfExamples) {
		read, ok := said[f.GetName()]
		if !ok {
			continue // of another file, whose metrics are made by functions that the reader does not follow
		}
		checked++
		if want := familyOf(f); !slices.Equal(read.labels, want.labels) || read.kind != want.kind {
			t.Errorf("%s: read %v, and the registry has %v", f.GetName(), read, want)
		}
	}
	if checked != len(said) || checked < 20 {
		t.Errorf("%d of %d families were compared", checked, len(said))
	}
}

// TestFamilies holds all names to the conventions of Prometheus, and the reader to the families whose shapes differ.
func TestFamilies(t *testing.T) {
	all := catalogue(t)
	for name, want := range map[string]family{
		"baton_finding_active":              {kind: dto.MetricType_GAUGE, labels: []string{"area", "mysql_cluster", "mysql_instance", "rule", "severity"}},
		"baton_cluster_instances":           {kind: dto.MetricType_GAUGE, labels: []string{"mysql_cluster"}},
		"baton_findings_total":              {kind: dto.MetricType_COUNTER, labels: []string{"mysql_cluster", "rule"}},
		"baton_recovery_duration_seconds":   {kind: dto.MetricType_HISTOGRAM, labels: []string{"outcome", "trigger"}},
		"baton_raft_apply_duration_seconds": {kind: dto.MetricType_HISTOGRAM},
		"baton_build_info":                  {kind: dto.MetricType_GAUGE, labels: []string{"branch", "goarch", "goos", "goversion", "revision", "tags", "version"}},
		"baton_http_requests_total":         {kind: dto.MetricType_COUNTER, labels: []string{"code", "handler", "method"}},
		"baton_cache_misses_total":          {kind: dto.MetricType_COUNTER, labels: []string{"cache"}},
	} {
		if got := all[name]; got.kind != want.kind || !slices.Equal(got.labels, want.labels) {
			t.Errorf("%s is %v %v, want %v %v", name, got.kind, got.labels, want.kind, want.labels)
		}
	}
	var families []*dto.MetricFamily
	for name, f := range all {
		if f.help == "" {
			f.help = "It is given elsewhere." // help that is put together is not read
		}
		families = append(families, &dto.MetricFamily{Name: &name, Help: &f.help, Type: &f.kind, Metric: []*dto.Metric{{}}})
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
