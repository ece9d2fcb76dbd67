package gen

// column is one column of a table: a label of the queries or the value of one, and how it is shown.
type column struct {
	field      string // "mysql_cluster", or "Value #B"
	title      string // empty hides it
	properties []property
}

// grid is a table made of one or several queries, whose rows are joined by the labels that all of them have.
func grid(title, description string, w, h int, columns []column, sortBy string, targets ...target) panel {
	p := newPanel("table", title, description, w, h, targets...)
	p.FieldConfig.Defaults.Unit = "short"
	p.FieldConfig.Defaults.Custom = map[string]any{"align": "auto", "filterable": true}
	hidden, index, renamed := map[string]any{"Time": true}, map[string]any{}, map[string]any{}
	for n, c := range columns {
		index[c.field] = n
		if c.title == "" {
			hidden[c.field] = true
			continue
		}
		renamed[c.field] = c.title
		if len(c.properties) > 0 {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{"byName", c.title}, c.properties})
		}
	}
	p.Transformations = []transformation{
		{"merge", map[string]any{}},
		{"organize", map[string]any{"excludeByName": hidden, "indexByName": index, "renameByName": renamed}},
	}
	if len(targets) == 1 { // the value of an only query has no number
		p.Transformations = p.Transformations[1:]
	}
	p.Options = map[string]any{"showHeader": true, "cellHeight": "sm", "footer": map[string]any{"show": false, "reducer": []string{"sum"}, "fields": ""}}
	if sortBy != "" {
		p.Options["sortBy"] = []map[string]any{{"displayName": sortBy, "desc": true}}
	}
	return p
}

// label is a column of a label.
func label(name, title string, properties ...property) column { return column{name, title, properties} }

// value is a column of the values of a query.
func value(refID, title string, properties ...property) column {
	return column{"Value #" + refID, title, properties}
}

// only is a column of the values of the only query.
func only(title string, properties ...property) column { return column{"Value", title, properties} }

func inUnit(unit string) property { return property{"unit", unit} }

// meant shows words for values, in their colours. Grafana 10 renamed how a cell is told to take its colour, and reads both.
func meant(m mapping) []property {
	return append([]property{{"mappings", []mapping{m}}}, inColor()...)
}

func inColor() []property {
	return []property{{"custom.displayMode", "color-text"}, {"custom.cellOptions", map[string]any{"type": "color-text"}}}
}

func limits(t *thresholds) []property {
	return append([]property{{"thresholds", t}, {"color", map[string]any{"mode": "thresholds"}}}, inColor()...)
}

// leadsToCluster makes the cells of a column links to the dashboard of the cluster in their row.
func leadsToCluster() property {
	return property{"links", []link{{
		Title: "Look at cluster ${__data.fields.mysql_cluster}",
		URL:   "/d/" + uidCluster + "?var-mysql_cluster=${__data.fields.mysql_cluster}&${datasource:queryparam}&${job:queryparam}&${__url_time_range}",
	}}}
}
