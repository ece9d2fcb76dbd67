package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/xrash/smetrics"

	"github.com/batondb/baton/topology"
)

// decode reads the body of a request. Anything that is not exactly what the type says is an error that names the field, because a field that is
// silently left out would do something else than what was asked.
func decode(r *http.Request, into any) error {
	// Only a page of the same origin can send this type without the browser asking first, so other pages cannot make changes in a person's name.
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return fail(CodeUnsupported, "the body must be JSON").with("send it with the header Content-Type: application/json")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bodyError(err, into)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(CodeBadRequest, "something follows the JSON object in the body")
	}
	return nil
}

func bodyError(err error, into any) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	fields := fieldsOf(reflect.TypeOf(into))
	switch {
	case errTooLarge(err):
		return fail(CodeTooLarge, "the body is larger than %d bytes", maxBody)
	case errors.Is(err, io.EOF):
		return fail(CodeBadRequest, "the body is empty").with("send a JSON object with %s", strings.Join(fields, ", "))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fail(CodeBadRequest, "the JSON of the body ends too early")
	case errors.As(err, &syntax):
		return fail(CodeBadRequest, "the body is not JSON: %s at byte %d", syntax, syntax.Offset)
	case errors.As(err, &wrongType):
		return badField(wrongType.Field, "a JSON %s is not a %s", wrongType.Value, plainKind(wrongType.Type))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		e := badField(name, "is no field of this request")
		if near := Nearest(name, fields); len(near) > 0 {
			return e.with("nearest: %s", strings.Join(near, ", "))
		}
		return e.with("it has %s", strings.Join(fields, ", "))
	}
	return fail(CodeBadRequest, "%s", err)
}

// plainKind is a type as people who write JSON call it.
func plainKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct, reflect.Map:
		return "JSON object"
	}
	return "value of this field"
}

// fieldsOf lists the JSON names of a struct, those of embedded structs included.
func fieldsOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// sign checks a signature and notes it for the audit log.
func (s *Server) sign(r *http.Request, sig Signature) error {
	deedOf(r.Context()).Signature = sig
	if strings.TrimSpace(sig.By) == "" {
		return badField("by", "say who asks")
	}
	return nil
}

// querySignature reads the signature of a request that has no body.
func querySignature(r *http.Request) Signature {
	return Signature{By: r.URL.Query().Get("by"), Reason: r.URL.Query().Get("reason")}
}

// cluster finds a cluster by its name or alias.
func (s *Server) cluster(r *http.Request, name string) (*topology.Snapshot, *topology.Cluster, error) {
	snap := s.Fleet.Snapshot()
	c, err := findCluster(snap, name)
	if err == nil {
		deedOf(r.Context()).cluster = c.Name
	}
	return snap, c, err
}

func findCluster(snap *topology.Snapshot, name string) (*topology.Cluster, error) {
	if name == "" {
		return nil, badField("cluster", "name one")
	}
	if c := snap.Cluster(name); c != nil {
		return c, nil
	}
	var names []string
	for _, c := range snap.Clusters {
		if c.Alias == name {
			return c, nil
		}
		names = append(names, c.Name)
		if c.Alias != "" && c.Alias != c.Name {
			names = append(names, c.Alias)
		}
	}
	return nil, withNearest(fail(CodeUnknownCluster, "there is no cluster %q", name), name, names)
}

// instance finds an instance by "host" or "host:port".
func (s *Server) instance(r *http.Request, text string) (*topology.Snapshot, *topology.Instance, error) {
	snap := s.Fleet.Snapshot()
	i, err := findInstance(snap, "instance", text)
	if err == nil {
		d := deedOf(r.Context())
		d.instance, d.cluster = string(i.Instance), i.Cluster
	}
	return snap, i, err
}

func findInstance(snap *topology.Snapshot, field, text string) (*topology.Instance, error) {
	id, err := topology.ParseInstanceID(text, topology.DefaultPort)
	if err != nil {
		return nil, badField(field, "%s", err)
	}
	if i := snap.Instance(id); i != nil {
		return i, nil
	}
	var names []string
	for _, i := range snap.Instances() {
		names = append(names, string(i.Instance))
	}
	// As it was written it may be the beginning of a longer name; with its port it may be a misspelt one.
	e := withNearest(fail(CodeUnknownInstance, "there is no instance %q", id), text, names)
	if e.Hint == "" {
		e = withNearest(e, string(id), names)
	}
	return nil, e
}

func withNearest(e *Error, name string, names []string) *Error {
	switch near := Nearest(name, names); {
	case len(near) > 0:
		return e.with("nearest: %s", strings.Join(near, ", "))
	case len(names) == 0:
		return e.with("nothing is known yet: baton discover HOST")
	}
	return e
}

// nearestCount is how many names a hint offers.
const nearestCount = 3

// Nearest returns the few names that somebody who wrote name may have meant, the best first; none where nothing is near.
func Nearest(name string, names []string) []string {
	type scored struct {
		name  string
		score int
	}
	lower := strings.ToLower(name)
	var near []scored
	for _, n := range names {
		candidate := strings.ToLower(n)
		score := smetrics.WagnerFischer(lower, candidate, 1, 1, 1)
		if strings.HasPrefix(candidate, lower) || strings.HasPrefix(lower, candidate) {
			score = 1
		}
		if score <= max(2, len(name)/3) {
			near = append(near, scored{n, score})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.score - b.score })
	var out []string
	for _, n := range near {
		if !slices.Contains(out, n.name) && len(out) < nearestCount {
			out = append(out, n.name)
		}
	}
	return out
}

// queryBool reads a parameter that is true or false; ok is false where it is left out.
func queryBool(r *http.Request, name string) (value, ok bool, err error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, false, nil
	}
	value, perr := strconv.ParseBool(text)
	if perr != nil {
		return false, false, badField(name, "%s", fmt.Sprintf("%q is neither true nor false", text))
	}
	return value, true, nil
}
