package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unknown is the sentence about a key that does not exist: with the nearest that does, or with the place where it does.
func (d *decoder) unknown(name string, keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	if name == "<<" {
		return "merge keys are not read here; write the keys out"
	}
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("there is no such key; the nearest is %q", near)
	}
	if elsewhere := places(reflect.TypeFor[File](), "", name); len(elsewhere) > 0 {
		return fmt.Sprintf("there is no such key here; there is %s", strings.Join(elsewhere, " and "))
	}
	slices.Sort(names)
	return fmt.Sprintf("there is no such key; the keys here are %s", strings.Join(names, ", "))
}

// places lists the paths at which a key of this name exists.
func places(t reflect.Type, path, name string) []string {
	var found []string
	for _, k := range keysOf(t) {
		f := t.FieldByIndex(k.index)
		at := join(path, k.name)
		if k.name == name {
			found = append(found, at)
		}
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner, at = inner.Elem(), at+"[]"
		}
		if inner.Kind() == reflect.Struct {
			found = append(found, places(inner, at, name)...)
		}
	}
	return found
}

// nearest returns the known word that was most likely meant, or "" where none is near.
func nearest(word string, known []string) string {
	best, least := "", 1+max(len(word), 3)/3
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour that turns a into b.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a) // no key is nearly as long
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
