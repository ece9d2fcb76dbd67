package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The formats of what is printed.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

func checkOutput(format string) error {
	switch format {
	case outputTable, outputJSON, outputYAML:
		return nil
	}
	return usage("--output: %q is not one of %s, %s, %s", format, outputTable, outputJSON, outputYAML)
}

// plain reports whether output is for people.
func (s *session) plain() bool { return s.String("output") == outputTable }

// show prints a value as it came over the wire, or as a table.
func (s *session) show(v any, table func()) error {
	switch s.String("output") {
	case outputJSON:
		return s.printJSON(v)
	case outputYAML:
		return s.printYAML(v)
	}
	table()
	return nil
}

func (t *terminal) printJSON(v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = fmt.Fprintf(t.out, "%s\n", raw)
	return err
}

// printYAML goes by way of JSON, so that names and order of the fields are the same.
func (t *terminal) printYAML(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("encode the answer as yaml: %w", err)
	}
	asBlocks(&doc)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return fmt.Errorf("encode the answer as yaml: %w", err)
	}
	_, err = t.out.Write(b.Bytes())
	return err
}

// asBlocks takes the braces and quotes of JSON away; the encoder quotes again what would be read as something else than a string.
func asBlocks(n *yaml.Node) {
	n.Style = 0
	for _, below := range n.Content {
		asBlocks(below)
	}
}

// style is how text stands out.
type style string

// The styles, as codes of the terminal.
const (
	none   style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

func (t *terminal) paint(s style, text string) string {
	if !t.color || s == none || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (t *terminal) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// table aligns columns by what is seen of them: the codes of colours have no width.
type table struct {
	rows   [][]string
	styles []style
	header bool
}

func newTable(header ...string) *table {
	t := &table{}
	if len(header) > 0 {
		t.header = true
		t.add(dim, header...)
	}
	return t
}

func (t *table) add(s style, cells ...string) {
	t.rows = append(t.rows, cells)
	t.styles = append(t.styles, s)
}

// print writes the table. A column that is empty in every row below the header is left out.
func (t *table) print(to *terminal, indent string) {
	var width []int
	for n, row := range t.rows {
		for c, cell := range row {
			if c == len(width) {
				width = append(width, 0)
			}
			if n > 0 || !t.header {
				width[c] = max(width[c], utf8.RuneCountInString(cell))
			}
		}
	}
	if t.header {
		for c, cell := range t.rows[0] {
			if width[c] > 0 {
				width[c] = max(width[c], utf8.RuneCountInString(cell))
			}
		}
	}
	for n, row := range t.rows {
		var line strings.Builder
		for c, cell := range row {
			if width[c] > 0 {
				line.WriteString(cell + strings.Repeat(" ", width[c]-utf8.RuneCountInString(cell)+2))
			}
		}
		to.printf("%s%s\n", indent, to.paint(t.styles[n], strings.TrimRight(line.String(), " ")))
	}
}

// short writes a length of time as people say it.
func short(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d == 0:
		return "0s"
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	// Whole minutes and hours need no zeros behind them.
	text := d.Round(time.Second).String()
	if d >= time.Hour {
		text = d.Round(time.Minute).String()
	}
	if whole, ok := strings.CutSuffix(text, "m0s"); ok {
		text = whole + "m"
	}
	if whole, ok := strings.CutSuffix(text, "h0m"); ok {
		text = whole + "h"
	}
	return text
}

// many writes a number with separators.
func many(n uint64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// clock writes a moment, and the day where it is not today.
func (t *terminal) clock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	at = at.In(t.now().Location())
	if at.Format(time.DateOnly) == t.now().Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
