package clientmeta

import (
	"bytes"
	"slices"

	"github.com/grantwell/grantwell/storage"
)

// Changed returns the names of the JSON members in which the two clients
// differ, sorted. It returns nil unless there are both, because a client that
// was created or deleted did not change.
func Changed(before, after *storage.Client) []string {
	if before == nil || after == nil {
		return nil
	}
	was, err1 := documentOf(before)
	is, err2 := documentOf(after)
	if err1 != nil || err2 != nil {
		return nil // jwks is not JSON, which no store accepts
	}

	var names []string
	for name, value := range was {
		if !bytes.Equal(value, is[name]) {
			names = append(names, name)
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
