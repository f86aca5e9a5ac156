package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxData is the most bytes that Record.Data may have: 1 MiB.
const MaxData = 1 << 20

// Validate returns why no store may take the record, or nil: a Kind that is not 1 to 32 characters of [a-z_],
// a Key that is not 1 to 255 bytes, a State that is none, a GrantID above 255 bytes, Data above [MaxData],
// or text that is not UTF-8 or holds a NUL, which some databases cannot keep.
// Every store calls it before it writes, so that a host's tests in memory find what the database would refuse.
func (r Record) Validate() error {
	switch {
	case !validKind(r.Kind):
		return fmt.Errorf("storage: kind %q is not 1 to 32 characters of [a-z_]", r.Kind[:min(len(r.Kind), 40)])
	case r.Key == "" || len(r.Key) > 255 || !storable(r.Key):
		return fmt.Errorf("storage: %s record: key is not 1 to 255 bytes of UTF-8 without NUL", r.Kind)
	case r.State < Pending || r.State > Revoked:
		return fmt.Errorf("storage: %s record: %d is no state", r.Kind, r.State)
	case len(r.GrantID) > 255:
		return fmt.Errorf("storage: %s record: grant ID is above 255 bytes", r.Kind)
	case len(r.Data) > MaxData:
		return fmt.Errorf("storage: %s record: data is above %d bytes", r.Kind, MaxData)
	case !storable(r.GrantID) || !storable(r.ClientID) || !storable(r.Subject):
		return fmt.Errorf("storage: %s record: grant, client or subject is not UTF-8 without NUL", r.Kind)
	}
	for _, list := range [2][]string{r.Scope, r.Audience} {
		for _, s := range list {
			if !storable(s) {
				return fmt.Errorf("storage: %s record: scope or audience is not UTF-8 without NUL", r.Kind)
			}
		}
	}
	return nil
}

func validKind(k Kind) bool {
	if k == "" || len(k) > 32 {
		return false
	}
	for i := range len(k) {
		if c := k[i]; c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
