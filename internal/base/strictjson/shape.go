package strictjson

import (
	"bytes"
	"encoding/json"
)

// fewNames is the number of names up to which an object is searched name by
// name. Nearly all objects are smaller, and need no map then.
const fewNames = 16

// container is an object or array that the scan is inside of.
type container struct {
	object bool
	// names is where the object's names begin in scanner.names.
	names int
	// index holds the names of an object with more than fewNames of them.
	index map[string]struct{}
	// members is the number of commas so far and one more.
	members int
	// wantName is set if the next string is a member name.
	wantName bool
}

// scanner holds the state of one pass over a text.
type scanner struct {
	limits Limits
	open   []container
	names  [][]byte // of all open objects, the innermost last
}

// checkShape bounds the nesting and the number of members, and compares the
// member names of each object. The text is valid JSON, so brackets match, and a
// string in an object is a name exactly if no name stands before it without a
// value. The pass does not recurse.
func checkShape(text []byte, limits Limits) error {
	if limits.Depth == 0 {
		limits.Depth = defaultDepth
	}

	s := scanner{limits: limits}
	for i := 0; i < len(text); i++ {
		var err error
		// White space, colons, numbers and literals need no attention.
		switch c := text[i]; c {
		case '{', '[':
			err = s.begin(c == '{')
		case '}', ']':
			s.end()
		case ',':
			err = s.next()
		case '"':
			// A string is passed over at once, with the brackets inside.
			length := stringLength(text[i:])
			err = s.text(text[i : i+length])
			i += length - 1
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin enters an object or array.
func (s *scanner) begin(object bool) error {
	if len(s.open) >= s.limits.Depth {
		return errDepth
	}

	s.open = append(s.open, container{
		object:   object,
		names:    len(s.names),
		members:  1,
		wantName: object,
	})
	return nil
}

// end leaves an object or array.
func (s *scanner) end() {
	last := len(s.open) - 1
	s.names = s.names[:s.open[last].names]
	s.open = s.open[:last]
}

// next notes a comma, after which another member or element stands.
func (s *scanner) next() error {
	top := &s.open[len(s.open)-1]
	top.members++
	top.wantName = top.object
	if s.limits.Members > 0 && top.members > s.limits.Members {
		return errMembers
	}
	return nil
}

// text takes a string, quotes included, which is a member name or a value.
func (s *scanner) text(quoted []byte) error {
	if len(s.open) == 0 {
		return nil
	}
	top := &s.open[len(s.open)-1]
	if !top.wantName {
		// The string is a value, or an element of an array.
		return nil
	}
	top.wantName = false

	name, err := unquote(quoted)
	if err != nil {
		return err
	}
	if top.repeats(name, s.names[top.names:]) {
		return errRepeated
	}
	s.names = append(s.names, name)
	return nil
}

// repeats reports whether name is one of the object's names, and enters it
// into the index if there is one.
func (c *container) repeats(name []byte, earlier [][]byte) bool {
	if len(earlier) < fewNames {
		for _, other := range earlier {
			if bytes.Equal(other, name) {
				return true
			}
		}
		return false
	}

	if c.index == nil {
		c.index = make(map[string]struct{})
		for _, other := range earlier {
			c.index[string(other)] = struct{}{}
		}
	}
	_, found := c.index[string(name)]
	c.index[string(name)] = struct{}{}
	return found
}

// unquote returns what a JSON string stands for. Two escapes of the same
// character are the same name, as they are for every decoder.
func unquote(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}

	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return nil, errSyntax
	}
	return []byte(name), nil
}

// stringLength returns the length of the string that text begins with, quotes
// included.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
