package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// A nameSet holds the names that the members of an object may have, and for
// each name the set of the objects in its value. A nil set allows every name.
type nameSet map[string]nameSet

// clientNames are the names of the members of a client.
var clientNames = namesOf(reflect.TypeFor[Client]())

// namesOf returns the names that encoding/json gives the fields of a struct.
// Fields of embedded structs are members of the struct itself.
func namesOf(t reflect.Type) nameSet {
	names := make(nameSet)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || f.Anonymous {
			continue
		}
		names[name] = nil
		if f.Type == reflect.TypeFor[[]Secret]() {
			names[name] = namesOf(f.Type.Elem())
		}
	}
	return names
}

// checkMemberNames returns an error if the JSON of a client has a name that is
// not in clientNames, or a name twice in one object at any depth. The text is
// valid JSON.
//
// It is a scanner of its own because SQL and Redis stores decode a client at
// each look-up: with the token reader of encoding/json the names would cost
// more than the decoding.
func checkMemberNames(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("storage: client: is not UTF-8")
	}
	s := nameScanner{rest: text}
	if s.peek() != '{' { // null, which encoding/json reads as no change
		return errNotObject
	}
	return s.value(clientNames)
}

// nameScanner reads valid JSON from its start. It finds no errors but those of
// names.
type nameScanner struct{ rest []byte }

// value reads one value. Objects in it have names of the set.
func (s *nameScanner) value(allowed nameSet) error {
	switch s.peek() {
	case '{':
		return s.object(allowed)
	case '[':
		return s.list(allowed)
	case '"':
		s.text()
	default: // a number, true, false or null
		s.word()
	}
	return nil
}

// object reads one object.
func (s *nameScanner) object(allowed nameSet) error {
	// Most objects fit in the array, which stays on the stack.
	var room [24][]byte
	names := room[:0]

	for s.skip(); s.peek() != '}'; {
		name := s.name()
		below, known := allowed[string(name)]
		if allowed != nil && !known {
			return fmt.Errorf("storage: client %.64q: there is no such member", name)
		}
		names = append(names, name)

		s.peek()
		s.skip() // the colon
		if err := s.value(below); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.skip()
		}
	}
	s.skip()
	return once(names)
}

// once returns an error if a name occurs twice.
func once(names [][]byte) error {
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return fmt.Errorf("storage: client %.64q: the member occurs twice", names[i])
		}
	}
	return nil
}

// list reads one array. Objects in it have the names of the set too.
func (s *nameScanner) list(allowed nameSet) error {
	for s.skip(); s.peek() != ']'; {
		if err := s.value(allowed); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.skip()
		}
	}
	s.skip()
	return nil
}

// name reads the name of a member, decoded: a name with an escape is the same
// name as one without.
func (s *nameScanner) name() []byte {
	quoted := s.text()
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var decoded string
	_ = json.Unmarshal(quoted, &decoded) // valid, as the text is
	return []byte(decoded)
}

// text reads a string and returns it with its quotes.
func (s *nameScanner) text() []byte {
	s.peek()
	for i := 1; ; i++ {
		switch s.rest[i] {
		case '\\':
			i++ // the next octet is escaped
		case '"':
			quoted := s.rest[:i+1]
			s.rest = s.rest[i+1:]
			return quoted
		}
	}
}

// peek returns the next octet that is not a space.
func (s *nameScanner) peek() byte {
	for isSpace(s.rest[0]) {
		s.rest = s.rest[1:]
	}
	return s.rest[0]
}

// skip passes over the octet that peek returned.
func (s *nameScanner) skip() { s.rest = s.rest[1:] }

// word passes over a number or literal.
func (s *nameScanner) word() {
	for len(s.rest) > 0 {
		switch c := s.rest[0]; {
		case isSpace(c), c == ',', c == ']', c == '}':
			return
		}
		s.skip()
	}
}

// isSpace reports whether c is white space between the tokens of JSON.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
