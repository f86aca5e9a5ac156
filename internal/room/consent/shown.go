package consent

import (
	"slices"

	"github.com/grantwell/grantwell/storage"
)

// shown is what the user was shown and allowed: by audience, the scopes. The audience
// "" stands for a request that named none. A user who let a client read a calendar has
// not let it read a bank account, so the two lists of the record alone do not say it.
type shown map[string][]string

// readShown returns what a consent covers. One without data named no audience; one with
// unreadable data covers nothing.
func readShown(rec *storage.Record) shown {
	d, err := readData(rec.Data)
	switch {
	case err != nil:
		return shown{}
	case d.Shown != nil:
		return d.Shown
	case rec.State == 0:
		return shown{}
	}

	return shown{"": slices.Clone(rec.Scope)}
}

// add adds what a user allows, and reports whether any of it is new.
func (s shown) add(scope, audience []string) (more bool) {
	for _, a := range audiences(audience) {
		have, known := s[a]
		all := union(have, scope)
		if !known || len(all) > len(have) {
			s[a] = append([]string{}, all...)
			more = true
		}
	}

	return more
}

// Covers reports whether a consent covers a scope at each audience of a request.
func Covers(rec *storage.Record, scope string, audience []string) bool {
	s := readShown(rec)
	for _, a := range audiences(audience) {
		if !slices.Contains(s[a], scope) {
			return false
		}
	}

	return true
}

// Knows reports whether a consent was given for each audience of a request.
func Knows(rec *storage.Record, audience []string) bool {
	s := readShown(rec)
	for _, a := range audiences(audience) {
		if _, known := s[a]; !known {
			return false
		}
	}

	return true
}

func audiences(requested []string) []string {
	if len(requested) == 0 {
		return []string{""}
	}

	return requested
}
