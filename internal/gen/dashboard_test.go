package gen

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/batondb/baton/analysis"
)

// TestDashboards holds every dashboard to what Grafana and its readers need.
func TestDashboards(t *testing.T) {
	uids := make(map[string]bool)
	uid := regexp.MustCompile(`^baton-[a-z]+$`)
	for _, d := range allDashboards(analysis.Table) {
		t.Run(d.file, func(t *testing.T) {
			if uids[d.UID] || !uid.MatchString(d.UID) {
				t.Errorf("uid %q is there twice or is none", d.UID)
			}
			uids[d.UID] = true
			if d.Description == "" || d.Editable || !slices.Contains(d.Tags, "baton") || d.Refresh == "" || d.SchemaVersion < 39 {
				t.Errorf("description, tag, refresh or schema is missing, or it can be edited: %+v", d)
			}
			if first := d.Templating.List[0]; first.Type != "datasource" || first.Name != "datasource" || first.Label != "Data source" {
				t.Errorf("the first variable is %+v", first)
			}
			for _, v := range d.Templating.List[1:] {
				if v.Refresh != 2 || v.Label == "" || v.Datasource == nil {
					t.Errorf("variable %s is not asked for when the time range changes, or has no label or source", v.Name)
				}
			}
			layout(t, d)
			for _, p := range d.Panels {
				if p.Type != "row" {
					checkPanel(t, p)
				}
			}
		})
	}
}

// layout demands that panels fill a grid without overlapping.
func layout(t *testing.T, d dashboard) {
	t.Helper()
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("%s: id %d is none or there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X+g.W > 24 || g.W == 0 || g.H == 0 {
			t.Errorf("%s does not fit: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Errorf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	rows := make(map[int]int)
	for at := range taken {
		rows[at[1]]++
	}
	for y, width := range rows {
		if width != 24 {
			t.Errorf("%s: line %d is %d wide", d.Title, y, width)
		}
	}
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%q says nothing of itself: %q", p.Title, p.Description)
	}
	if p.Type != "nodeGraph" && p.FieldConfig.Defaults.Unit == "" {
		t.Errorf("%s has no unit", p.Title)
	}
	if p.Datasource == nil || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
		t.Errorf("%s asks nobody, or nothing", p.Title)
	}
	refs := make(map[string]bool)
	for _, q := range p.Targets {
		if refs[q.RefID] || q.RefID == "" {
			t.Errorf("%s: query %q is there twice", p.Title, q.RefID)
		}
		refs[q.RefID] = true
		if q.Datasource != *p.Datasource || q.Instant == q.Range {
			t.Errorf("%s %s asks somebody else, or neither now nor over time", p.Title, q.RefID)
		}
		if got, want := strings.Count(q.Expr, `job=~"$job"`), len(metric.FindAllString(q.Expr, -1)); got < want {
			t.Errorf("%s %s asks %d metrics, and %d of the chosen job", p.Title, q.RefID, want, got)
		}
		if fixed := regexp.MustCompile(`\[\d+[sm]\]`).FindString(q.Expr); fixed != "" {
			t.Errorf("%s %s looks at %s, which may be shorter than two scrapes; use $__rate_interval", p.Title, q.RefID, fixed)
		}
	}
	if p.Type == "table" {
		checkTable(t, p, refs)
	}
}

// checkTable demands that every column is there, and that what every query yields is shown or hidden on purpose.
func checkTable(t *testing.T, p panel, refs map[string]bool) {
	t.Helper()
	organize := p.Transformations[len(p.Transformations)-1].Options
	order := organize["indexByName"].(map[string]any)
	renamed := organize["renameByName"].(map[string]any)
	titles := make(map[string]bool)
	for _, title := range renamed {
		if titles[title.(string)] {
			t.Errorf("%s: two columns are called %s", p.Title, title)
		}
		titles[title.(string)] = true
	}
	for ref := range refs {
		field := "Value #" + ref
		if len(refs) == 1 {
			field = "Value"
		}
		if _, ok := order[field]; !ok {
			t.Errorf("%s: what query %s yields has no column", p.Title, ref)
		}
	}
	for field := range order {
		if ref, ok := strings.CutPrefix(field, "Value #"); ok && !refs[ref] {
			t.Errorf("%s: column %s is of no query", p.Title, field)
		}
	}
	// The labels of all queries are columns, and the columns are labels.
	yielded := make(map[string]bool)
	outer := regexp.MustCompile(`^(?:[0-9]+ \* )?(?:max|min|sum|count) by \(([^)]*)\)`)
	for _, q := range p.Targets {
		m := outer.FindStringSubmatch(q.Expr)
		if m == nil {
			t.Fatalf("%s %s does not say which labels are left: %s", p.Title, q.RefID, q.Expr)
		}
		for l := range strings.SplitSeq(m[1], ",") {
			l = strings.TrimSpace(l)
			if yielded[l] = true; order[l] == nil {
				t.Errorf("%s: label %s of query %s has no column", p.Title, l, q.RefID)
			}
		}
	}
	for field := range order {
		if !strings.HasPrefix(field, "Value") && !yielded[field] {
			t.Errorf("%s: no query yields label %s", p.Title, field)
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" && !titles[o.Matcher.Options] {
			t.Errorf("%s: nothing is called %s", p.Title, o.Matcher.Options)
		}
	}
}

// TestLinksLead demands that links lead to dashboards and variables that exist.
func TestLinksLead(t *testing.T) {
	variables := make(map[string][]string)
	for _, d := range allDashboards(analysis.Table) {
		for _, v := range d.Templating.List {
			variables[d.UID] = append(variables[d.UID], v.Name)
		}
	}
	link := regexp.MustCompile(`/d/([a-z-]+)\?([^"]*)`)
	found := 0
	for _, f := range files(t) {
		for _, m := range link.FindAllStringSubmatch(string(f.Data), -1) {
			found++
			if variables[m[1]] == nil {
				t.Errorf("%s leads to %s, which does not exist", f.Path, m[1])
			}
			for _, v := range regexp.MustCompile(`var-([a-z_]+)=`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(variables[m[1]], v[1]) {
					t.Errorf("%s gives %s variable %s, which it has not got", f.Path, m[1], v[1])
				}
			}
		}
	}
	if found == 0 {
		t.Error("there is no link at all")
	}
}

// TestDashboardsAreReadable decodes what was rendered, and wants the expressions as they were written.
func TestDashboardsAreReadable(t *testing.T) {
	for _, f := range files(t) {
		if !strings.HasSuffix(f.Path, ".json") {
			continue
		}
		var d struct {
			UID    string
			Panels []struct {
				GridPos gridPos
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(f.Data, &d); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", f.Path, err))
		}
		if len(d.Panels) < 5 || d.UID == "" {
			t.Errorf("%s: uid %q and %d panels", f.Path, d.UID, len(d.Panels))
		}
		if strings.Contains(string(f.Data), `\u003e`) {
			t.Errorf("%s: a comparison is escaped", f.Path)
		}
	}
}
