package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// checkNames returns an error if a member of the text would reach a struct
// field of into although its name differs from the field's in case. The text
// is valid and its nesting is bounded.
func checkNames(text []byte, into any) error {
	return checkType(text, reflect.TypeOf(into))
}

// checkType goes through the value and its Go type in parallel.
func checkType(text []byte, t reflect.Type) error {
	// The decoder follows pointers, and stops at a type that decodes itself.
	for t != nil && t.Kind() == reflect.Pointer && !readsItself(t) {
		t = t.Elem()
	}
	if t == nil || readsItself(t) || readsItself(reflect.PointerTo(t)) {
		return nil
	}

	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(text, t)
	case reflect.Map:
		return checkMap(text, t.Elem())
	case reflect.Slice, reflect.Array:
		return checkList(text, t.Elem())
	default:
		return nil
	}
}

// checkStruct compares the member names with those of the fields. A value that
// is not an object is left to the decoder, which reports the type.
func checkStruct(text []byte, t reflect.Type) error {
	members, ok := object(text)
	if !ok {
		return nil
	}

	fields := fieldsOf(t)
	for name, value := range members {
		if field, exact := fields[name]; exact {
			if err := checkType(value, field); err != nil {
				return err
			}
			continue
		}
		// The decoder would find a field of this name by ignoring case.
		for known := range fields {
			if strings.EqualFold(known, name) {
				return fmt.Errorf("strictjson: a member is written differently from %q", known)
			}
		}
	}
	return nil
}

// checkMap checks the values of a map. Its keys are data, so any name is allowed.
func checkMap(text []byte, element reflect.Type) error {
	if isPlain(element) {
		return nil
	}
	members, _ := object(text)
	for _, value := range members {
		if err := checkType(value, element); err != nil {
			return err
		}
	}
	return nil
}

// checkList checks the elements of a slice or array.
func checkList(text []byte, element reflect.Type) error {
	if isPlain(element) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		return nil //nolint:nilerr // a value of another type is the decoder's to refuse
	}
	for _, value := range list {
		if err := checkType(value, element); err != nil {
			return err
		}
	}
	return nil
}

// object returns the members of an object, and reports false for another value.
func object(text []byte) (members map[string]json.RawMessage, ok bool) {
	err := json.Unmarshal(text, &members)
	return members, err == nil && members != nil
}

// fieldsOf returns the fields that encoding/json decodes into, by their names
// in JSON. Fields of embedded structs count as the struct's own.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Anonymous && name == ""
		if !f.IsExported() || embedded || f.Tag.Get("json") == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = f.Type
	}
	return fields
}

var (
	jsonReader = reflect.TypeFor[json.Unmarshaler]()
	textReader = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// readsItself reports whether values of the type are decoded by a method of
// theirs.
func readsItself(t reflect.Type) bool { return t.Implements(jsonReader) || t.Implements(textReader) }

// isPlain reports whether values of the type hold no member names.
func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return false
	default:
		return true
	}
}
