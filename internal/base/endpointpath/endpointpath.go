// Package endpointpath reads a struct whose fields are the paths of endpoints.
package endpointpath

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/internal/base/faults"
)

// notServed is a path that is not served.
const notServed = "-"

// Fill gives the empty fields of the struct behind a pointer their presets. A path
// that is not served becomes empty.
func Fill(paths, presets any) {
	fields := reflect.ValueOf(paths).Elem()
	for i := range fields.NumField() {
		field := fields.Field(i)
		if field.String() == "" {
			field.Set(reflect.ValueOf(presets).Field(i))
		}
		if field.String() == notServed {
			field.SetString("")
		}
	}
}

// Check returns why paths cannot be served: those of a struct that Fill has filled,
// and further ones by name.
func Check(paths any, further map[string]string) error {
	var f faults.List
	used := map[string]string{}
	check := func(name, path string) {
		if path == "" {
			return
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsFunc(path, outside) {
			f.Add("%s: needs to begin with / and be a plain path", name)
		}
		if other := used[path]; other != "" {
			f.Add("%s: is the same as %s", name, other)
		}
		used[path] = name
	}

	fields := reflect.ValueOf(paths)
	for i := range fields.NumField() {
		check("Paths."+fields.Type().Field(i).Name, fields.Field(i).String())
	}
	for _, name := range slices.Sorted(maps.Keys(further)) {
		check(name, further[name])
	}

	return f.Err()
}

// outside reports whether a path must not have a character.
func outside(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("?#{}%\\", c) }
