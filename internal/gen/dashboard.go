package gen

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/batondb/baton/analysis"
)

// The shapes of a dashboard, as much of them as is used. This is the classic format, which every Grafana since 9 reads.
type (
	dashboard struct {
		UID           string     `json:"uid"`
		Title         string     `json:"title"`
		Description   string     `json:"description"`
		Tags          []string   `json:"tags"`
		SchemaVersion int        `json:"schemaVersion"`
		Version       int        `json:"version"`
		Editable      bool       `json:"editable"`
		GraphTooltip  int        `json:"graphTooltip"`
		Timezone      string     `json:"timezone"`
		Refresh       string     `json:"refresh"`
		Time          timeRange  `json:"time"`
		Links         []link     `json:"links"`
		Annotations   annotated  `json:"annotations"`
		Templating    templating `json:"templating"`
		Panels        []panel    `json:"panels"`

		file string
	}
	timeRange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	link struct {
		Title       string   `json:"title"`
		Type        string   `json:"type,omitempty"`
		Tags        []string `json:"tags,omitempty"`
		URL         string   `json:"url,omitempty"`
		AsDropdown  bool     `json:"asDropdown,omitempty"`
		IncludeVars bool     `json:"includeVars,omitempty"`
		KeepTime    bool     `json:"keepTime,omitempty"`
		TargetBlank bool     `json:"targetBlank,omitempty"`
	}
	annotated struct {
		List []annotation `json:"list"`
	}
	annotation struct {
		Name            string `json:"name"`
		Enable          bool   `json:"enable"`
		IconColor       string `json:"iconColor"`
		Datasource      source `json:"datasource"`
		Expr            string `json:"expr"`
		UseValueForTime bool   `json:"useValueForTime"`
		Step            string `json:"step"`
		TitleFormat     string `json:"titleFormat"`
		TextFormat      string `json:"textFormat"`
		TagKeys         string `json:"tagKeys"`
	}
	templating struct {
		List []variable `json:"list"`
	}
	variable struct {
		Name       string         `json:"name"`
		Label      string         `json:"label"`
		Type       string         `json:"type"`
		Datasource *source        `json:"datasource,omitempty"`
		Query      any            `json:"query"`
		Definition string         `json:"definition,omitempty"`
		Refresh    int            `json:"refresh"`
		Sort       int            `json:"sort"`
		IncludeAll bool           `json:"includeAll"`
		Multi      bool           `json:"multi"`
		AllValue   string         `json:"allValue,omitempty"`
		Regex      string         `json:"regex"`
		Hide       int            `json:"hide"`
		Current    map[string]any `json:"current"`
		Options    []any          `json:"options"`
	}
	variableQuery struct {
		Query string `json:"query"`
		RefID string `json:"refId"`
	}
	source struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
)

func prometheusSource() source { return source{"prometheus", "${datasource}"} }

// Matchers that every query has, so that several installations can share one Prometheus.
const (
	ofJob     = `job=~"$job"`
	ofCluster = ofJob + `,mysql_cluster="$mysql_cluster"`  // the one that is looked at
	ofSome    = ofJob + `,mysql_cluster=~"$mysql_cluster"` // those that are chosen
	sampleJob = `label_values(baton_build_info, job)`
	sampleOne = `label_values(baton_cluster_info{` + ofJob + `}, mysql_cluster)`
)

// The uids, which links and bookmarks rest on.
const (
	uidFleet    = "baton-fleet"
	uidCluster  = "baton-cluster"
	uidRecovery = "baton-recovery"
	uidNodes    = "baton-nodes"
)

// dashboards renders all dashboards.
func dashboards(table []*analysis.Rule) ([]File, error) {
	var files []File
	for _, d := range allDashboards(table) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false) // expressions compare, and people read them
		if err := e.Encode(d); err != nil {
			return nil, fmt.Errorf("render dashboard %s: %w", d.UID, err)
		}
		files = append(files, File{"dashboards/" + d.file, b.Bytes()})
	}
	return files, nil
}

func allDashboards(table []*analysis.Rule) []dashboard {
	return []dashboard{nodesDashboard(), clusterDashboard(), fleetDashboard(table), recoveryDashboard()}
}

// newDashboard places the rows of panels and adds what all dashboards share.
func newDashboard(file, uid, title, description, recent, matchers string, more []variable, rows ...[]panel) dashboard {
	return dashboard{
		UID: uid, Title: "Baton / " + title, Description: description, Tags: []string{"baton", "mysql"},
		SchemaVersion: 39, Version: 1, GraphTooltip: 1, Timezone: "browser", Refresh: "30s", Time: timeRange{recent, "now"},
		Links: []link{
			{Title: "Baton", Type: "dashboards", Tags: []string{"baton"}, AsDropdown: true, IncludeVars: true, KeepTime: true},
			{Title: "Runbook", Type: "link", URL: runbookURL, TargetBlank: true},
		},
		Annotations: annotated{[]annotation{{
			Name: "Recoveries", Enable: true, IconColor: "purple", Datasource: prometheusSource(), UseValueForTime: true, Step: "30s",
			Expr:        "max by (mysql_cluster) (baton_recovery_last_end_timestamp_seconds{" + matchers + "}) * 1000",
			TitleFormat: "Recovery", TextFormat: "a recovery of {{mysql_cluster}} ended", TagKeys: "mysql_cluster",
		}}},
		Templating: templating{append(commonVariables(), more...)},
		Panels:     place(rows), file: file,
	}
}

func commonVariables() []variable {
	return []variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1, Current: map[string]any{}, Options: []any{}},
		queryVariable("job", "Baton", sampleJob, true),
	}
}

// queryVariable asks Prometheus for the values of a label, anew whenever the time range changes.
func queryVariable(name, label, query string, many bool) variable {
	from := prometheusSource()
	v := variable{
		Name: name, Label: label, Type: "query", Datasource: &from, Query: variableQuery{query, name}, Definition: query, Refresh: 2, Sort: 1,
		Current: map[string]any{}, Options: []any{},
	}
	if many {
		v.IncludeAll, v.Multi, v.AllValue = true, true, ".*"
		v.Current = map[string]any{"text": "All", "value": "$__all"}
	}
	return v
}

// place numbers the panels and puts each row below the one before. A row of Grafana is as wide as 24.
func place(rows [][]panel) []panel {
	var all []panel
	y := 0
	for _, row := range rows {
		x, height := 0, 0
		for _, p := range row {
			p.ID = len(all) + 1
			p.GridPos.X, p.GridPos.Y = x, y
			x += p.GridPos.W
			height = max(height, p.GridPos.H)
			all = append(all, p)
		}
		y += height
	}
	return all
}
