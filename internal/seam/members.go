package seam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
)

// Member is one name and value of an answer. Strings and numbers, which nearly all
// values are, need no interface around them.
type Member struct {
	Name   string
	text   string
	number int64
	value  any
	kind   kind
}

type kind uint8

const (
	isText kind = iota
	isNumber
	isOther
)

// Text returns a member that is a string.
func Text(name, value string) Member { return Member{Name: name, text: value} }

// Number returns a member that is a whole number.
func Number(name string, value int64) Member {
	return Member{Name: name, number: value, kind: isNumber}
}

// Other returns a member with any value that has a JSON form.
func Other(name string, value any) Member {
	if s, ok := value.(string); ok {
		return Text(name, s)
	}

	return Member{Name: name, value: value, kind: isOther}
}

// Members are the members of an answer, in the order in which they are sent.
type Members []Member

// Append appends those members of a map that are allowed and not nil, in the order
// of their names.
func (m Members) Append(more map[string]any, allowed func(name string) bool) Members {
	if len(more) == 0 {
		return m
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if more[name] != nil && allowed(name) {
			m = append(m, Other(name, more[name]))
		}
	}

	return m
}

// JSON returns the members as a JSON object.
func (m Members) JSON() ([]byte, error) {
	o := jsonenc.Object{Text: make([]byte, 0, 256)}
	for i := range m {
		switch f := &m[i]; f.kind {
		case isText:
			o.String(f.Name, f.text)
		case isNumber:
			o.Int(f.Name, f.number)
		default:
			if err := o.Value(f.Name, f.value); err != nil {
				return nil, fmt.Errorf("seam: an answer's %w", err)
			}
		}
	}

	return o.End(), nil
}

// Plain returns the value as text for a format other than JSON.
func (f *Member) Plain() (string, error) {
	switch f.kind {
	case isText:
		return f.text, nil
	case isNumber:
		return strconv.FormatInt(f.number, 10), nil
	}
	text, err := json.Marshal(f.value)
	if err != nil {
		return "", fmt.Errorf("seam: an answer's %q: %w", f.Name, err)
	}

	return string(text), nil
}
