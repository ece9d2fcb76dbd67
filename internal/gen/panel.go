package gen

import "maps"

// The shapes of a panel.
type (
	panel struct {
		ID              int              `json:"id"`
		Type            string           `json:"type"`
		Title           string           `json:"title"`
		Description     string           `json:"description,omitempty"`
		GridPos         gridPos          `json:"gridPos"`
		Datasource      *source          `json:"datasource,omitempty"`
		FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
		Options         map[string]any   `json:"options,omitempty"`
		Targets         []target         `json:"targets,omitempty"`
		Transformations []transformation `json:"transformations,omitempty"`
		Collapsed       *bool            `json:"collapsed,omitempty"` // of a row
		Panels          *[]panel         `json:"panels,omitempty"`    // of a row; those below it when it is collapsed
	}
	gridPos struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	}
	target struct {
		RefID        string `json:"refId"`
		Datasource   source `json:"datasource"`
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat,omitempty"`
		Format       string `json:"format"`
		Instant      bool   `json:"instant"`
		Range        bool   `json:"range"`
		Exemplar     bool   `json:"exemplar"`
		EditorMode   string `json:"editorMode"`
	}
	transformation struct {
		ID      string         `json:"id"`
		Options map[string]any `json:"options"`
	}
	fieldConfig struct {
		Defaults  fieldDefaults `json:"defaults"`
		Overrides []override    `json:"overrides"`
	}
	fieldDefaults struct {
		Unit       string         `json:"unit,omitempty"`
		Decimals   *int           `json:"decimals,omitempty"`
		Min        *float64       `json:"min,omitempty"`
		NoValue    string         `json:"noValue,omitempty"`
		Color      map[string]any `json:"color,omitempty"`
		Thresholds *thresholds    `json:"thresholds,omitempty"`
		Mappings   []mapping      `json:"mappings,omitempty"`
		Custom     map[string]any `json:"custom,omitempty"`
		Links      []link         `json:"links,omitempty"`
	}
	thresholds struct {
		Mode  string          `json:"mode"`
		Steps []thresholdStep `json:"steps"`
	}
	thresholdStep struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	}
	mapping struct {
		Type    string                `json:"type"`
		Options map[string]mappedText `json:"options"`
	}
	mappedText struct {
		Text  string `json:"text,omitempty"`
		Color string `json:"color"`
		Index int    `json:"index"`
	}
	override struct {
		Matcher    matcher    `json:"matcher"`
		Properties []property `json:"properties"`
	}
	matcher struct {
		ID      string `json:"id"`
		Options string `json:"options"`
	}
	property struct {
		ID    string `json:"id"`
		Value any    `json:"value"`
	}
)

// query is one query of a panel over time.
func query(expr, legend string) target {
	return target{Datasource: prometheusSource(), Expr: expr, LegendFormat: legend, Format: "time_series", Range: true, EditorMode: "code"}
}

// now is one query of a panel at the end of the time range.
func now(expr, legend string) target {
	return target{Datasource: prometheusSource(), Expr: expr, LegendFormat: legend, Format: "time_series", Instant: true, EditorMode: "code"}
}

// rows is one query whose series become the rows of a table.
func rows(expr string) target {
	return target{Datasource: prometheusSource(), Expr: expr, Format: "table", Instant: true, EditorMode: "code"}
}

// newPanel names the queries A, B, C in order, unless they have names.
func newPanel(kind, title, description string, w, h int, targets ...target) panel {
	from := prometheusSource()
	for n := range targets {
		if targets[n].RefID == "" {
			targets[n].RefID = string(rune('A' + n))
		}
	}
	return panel{
		Type: kind, Title: title, Description: description, GridPos: gridPos{W: w, H: h}, Datasource: &from, Targets: targets,
		FieldConfig: &fieldConfig{Overrides: []override{}}, Options: map[string]any{},
	}
}

// heading is a line between rows of panels.
func heading(title string) []panel {
	return []panel{{Type: "row", Title: title, GridPos: gridPos{W: 24, H: 1}, Collapsed: new(bool), Panels: &[]panel{}}}
}

// stat is one number, or a few, in large letters.
func stat(title, description string, w int, targets ...target) panel {
	p := newPanel("stat", title, description, w, 4, targets...)
	p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.NoValue = "short", "–"
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
	p.FieldConfig.Defaults.Thresholds = steps("text")
	p.Options = map[string]any{
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		"colorMode":     "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto", "orientation": "auto",
	}
	return p
}

// names shows what the series are called instead of their values.
func (p panel) names() panel {
	p.Options = maps.Clone(p.Options)
	p.Options["textMode"] = "name"
	return p
}

// graph is a line for each series.
func graph(title, description, unit string, w int, targets ...target) panel {
	p := newPanel("timeseries", title, description, w, 8, targets...)
	zero := 0.0
	p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.Min = unit, &zero
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}

// timeline is a band for each series, coloured by what its values mean.
func timeline(title, description string, h int, meaning mapping, targets ...target) panel {
	p := newPanel("state-timeline", title, description, 24, h, targets...)
	p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.Mappings = "short", []mapping{meaning}
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"} // with thresholds the mappings are not shown
	p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 80, "lineWidth": 0}
	p.Options = map[string]any{
		"mergeValues": true, "showValue": "auto", "rowHeight": 0.8, "alignValue": "left",
		"legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false},
	}
	return p
}

// steps are thresholds: a colour to begin with, and others from a value on.
func steps(first string, more ...thresholdStep) *thresholds {
	return &thresholds{"absolute", append([]thresholdStep{{Color: first}}, more...)}
}

func from(value float64, color string) thresholdStep { return thresholdStep{color, &value} }

// limited takes the colours of values from thresholds.
func (p panel) limited(t *thresholds) panel {
	p.FieldConfig.Defaults.Color, p.FieldConfig.Defaults.Thresholds = map[string]any{"mode": "thresholds"}, t
	return p
}

// unit says what the values of a panel are.
func (p panel) unit(unit string) panel {
	p.FieldConfig.Defaults.Unit = unit
	return p
}

// state is one value with its text and colour.
type state struct{ value, text, color string }

func mapped(states ...state) mapping {
	m := mapping{Type: "value", Options: make(map[string]mappedText, len(states))}
	for n, s := range states {
		m.Options[s.value] = mappedText{s.text, s.color, n}
	}
	return m
}

// meaning maps the values of a panel to words.
func (p panel) meaning(m mapping) panel {
	p.FieldConfig.Defaults.Mappings = []mapping{m}
	return p
}

// colorOf gives one series a colour.
func (p panel) colorOf(series, color string) panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
		matcher{"byName", series}, []property{{"color", map[string]any{"mode": "fixed", "fixedColor": color}}},
	})
	return p
}

// stacked shows how the series add up.
func (p panel) stacked() panel {
	p.FieldConfig.Defaults.Custom = maps.Clone(p.FieldConfig.Defaults.Custom)
	p.FieldConfig.Defaults.Custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	p.FieldConfig.Defaults.Custom["fillOpacity"] = 40
	return p
}

// exemplars shows single events beside the lines.
func (p panel) exemplars() panel {
	for n := range p.Targets {
		p.Targets[n].Exemplar = true
	}
	return p
}
