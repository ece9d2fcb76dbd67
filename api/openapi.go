package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// showOpenAPI generates the document from the table and the wire types each time: it is asked for rarely, and cannot be stale.
func (s *Server) showOpenAPI(*http.Request) (any, error) {
	schemas := make(schemas)
	paths := make(map[string]map[string]any)
	failure := map[string]any{"description": "An error; code is one of a closed set.", "content": jsonContent(schemas.of(reflect.TypeFor[Error]()))}
	for _, route := range s.routes {
		if paths[route.Path] == nil {
			paths[route.Path] = make(map[string]any)
		}
		status := route.Status
		if status == 0 {
			status = http.StatusOK
		}
		operation := map[string]any{
			"operationId": operationID(route), "summary": route.Doc, "tags": []string{string(route.Role)},
			"responses": map[string]any{strconv.Itoa(status): route.success(schemas), "default": failure},
		}
		if params := route.parameters(); len(params) > 0 {
			operation["parameters"] = params
		}
		if route.Request != nil {
			operation["requestBody"] = map[string]any{"required": true, "content": jsonContent(schemas.of(reflect.TypeOf(route.Request)))}
		}
		paths[route.Path][strings.ToLower(route.Method)] = operation
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Baton", "version": s.Version,
			"description": "Watches MySQL and MariaDB fleets, judges their replication and repairs it. The tag of an operation is the role it needs.",
		},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas},
	}, nil
}

// operationID makes a stable name, such as post_clusters_acknowledge.
func operationID(route Route) string {
	words := []string{strings.ToLower(route.Method)}
	for part := range strings.SplitSeq(strings.TrimPrefix(route.Path, "/api/v1"), "/") {
		switch part = strings.Trim(part, "{}"); {
		case part == "", part == "-":
		case strings.HasSuffix(route.Path, "/{"+part+"}"):
			words = append(words, "one_"+part)
		default:
			words = append(words, strings.NewReplacer("-", "_", ".", "_").Replace(part))
		}
	}
	return strings.Join(words, "_")
}

func (route Route) success(schemas schemas) map[string]any {
	switch {
	case route.Response == nil:
		return map[string]any{"description": "Text.", "content": map[string]any{"text/plain": map[string]any{"schema": map[string]any{"type": "string"}}}}
	case route.Stream:
		return map[string]any{"description": "One JSON object a line.", "content": map[string]any{
			"application/x-ndjson": map[string]any{"schema": schemas.of(reflect.TypeOf(route.Response))},
		}}
	}
	return map[string]any{"description": "Done.", "content": jsonContent(schemas.of(reflect.TypeOf(route.Response)))}
}

func jsonContent(schema map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

func (route Route) parameters() []any {
	var out []any
	for part := range strings.SplitSeq(route.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, map[string]any{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
	}
	for _, p := range route.Query {
		out = append(out, map[string]any{"name": p.Name, "in": "query", "description": p.Doc, "schema": map[string]any{"type": "string"}})
	}
	return out
}

// schemas are the JSON schemas of the wire types by name.
type schemas map[string]any

// of returns the schema of a type, and remembers those of structs under their names.
func (s schemas) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[Duration]():
		return map[string]any{"type": "string", "examples": []string{"90m"}}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case reflect.TypeFor[ClusterStatus]():
		return map[string]any{"type": "string", "enum": ClusterStatuses()}
	case reflect.TypeFor[Code]():
		var codes []Code
		for _, row := range Codes() {
			if row.Status != 0 {
				codes = append(codes, row.Code)
			}
		}
		return map[string]any{"type": "string", "enum": codes}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{s.of(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Struct:
		if _, done := s[t.Name()]; !done {
			s[t.Name()] = nil // a type that holds itself refers to this name
			s[t.Name()] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	}
	return map[string]any{}
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties, required := make(map[string]any), []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || f.Anonymous {
			continue
		}
		properties[name] = s.of(f.Type)
		if options == "" {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}
