package clientmeta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// readOnly are the members that an administrator changes by actions of their
// own, and not by writing the document.
var readOnly = []string{
	"disabled",
	"secrets",
	"shared_key",
	"created_at",
	"created_by",
	"tokens_not_before",
}

// Read returns the client that the document describes. A member that clients
// do not have is an error: a misspelt name would be a setting that its author
// believes to be in force.
func Read(doc Document) (storage.Client, error) {
	var c storage.Client
	text, err := encode(doc)
	if err != nil {
		return c, err
	}
	if err := c.UnmarshalJSON(text); err != nil {
		return c, trimmed(err)
	}
	return c, nil
}

// encode returns the document as JSON. It escapes nothing for HTML, because
// that would change the text of jwks.
func encode(doc Document) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(doc); err != nil {
		return nil, fmt.Errorf("clientmeta: %w", err)
	}
	return b.Bytes(), nil
}

// trimmed returns the reasons of an error of package storage, sorted and on one
// line. Each begins with the name of the member.
func trimmed(err error) error {
	reasons := strings.Split(err.Error(), "\n")
	for i, r := range reasons {
		reasons[i] = strings.TrimPrefix(r, "storage: client ")
	}
	slices.Sort(reasons)
	return errors.New(strings.Join(reasons, "; "))
}

// CheckNew returns an error that names the first member which the document of a
// new client must not have. A client may be created disabled.
func CheckNew(doc Document) error {
	for _, name := range readOnly {
		if _, sent := doc[name]; sent && name != "disabled" {
			return fmt.Errorf("%s: is read-only", name)
		}
	}
	return nil
}

// Editable returns the members of a changed document that an administrator may
// change. A read-only member may be in the document, because a document that
// was read has it, but its value has to be the one that was shown.
func Editable(changed, shown Document) (Document, error) {
	editable := make(Document, len(changed))
	for name, value := range changed {
		if !slices.Contains(readOnly, name) {
			editable[name] = value
			continue
		}
		if !sameJSON(value, shown[name]) {
			return nil, fmt.Errorf("%s: is read-only here", name)
		}
	}
	return editable, nil
}

// sameJSON reports whether two texts have the same JSON value. A missing member
// is null.
func sameJSON(a, b json.RawMessage) bool {
	var values [2]any
	for i, text := range [2]json.RawMessage{a, b} {
		if text == nil {
			continue
		}
		if json.Unmarshal(text, &values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
