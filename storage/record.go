package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxData is the largest size of Record.Data in bytes, 1 MiB.
const MaxData = 1 << 20

// maxKey is the largest size of a key and of a grant ID in bytes. Databases
// have indexes over both.
const maxKey = 255

// Validate returns the reason why a store must not accept the record, or nil.
// It refuses
//
//   - a Kind that is not 1 to 32 characters of [a-z_],
//   - a Key that is not 1 to 255 bytes,
//   - a State that is none of the constants,
//   - a GrantID above 255 bytes,
//   - Data above [MaxData], and
//   - text that is not UTF-8 or has a NUL, which some databases cannot store.
//
// Every store calls it before it writes, the memory store included, so that a
// host's tests in memory find what its database would refuse.
func (r Record) Validate() error {
	switch {
	case !validKind(r.Kind):
		return fmt.Errorf("storage: kind %q is not 1 to 32 characters of [a-z_]", r.Kind[:min(len(r.Kind), 40)])
	case r.Key == "" || len(r.Key) > maxKey || !storable(r.Key):
		return fmt.Errorf("storage: %s record: key is not 1 to %d bytes of UTF-8 without NUL", r.Kind, maxKey)
	case r.State < Pending || r.State > Revoked:
		return fmt.Errorf("storage: %s record: %d is no state", r.Kind, r.State)
	case len(r.GrantID) > maxKey:
		return fmt.Errorf("storage: %s record: grant ID is above %d bytes", r.Kind, maxKey)
	case len(r.Data) > MaxData:
		return fmt.Errorf("storage: %s record: data is above %d bytes", r.Kind, MaxData)
	case !storable(r.GrantID) || !storable(r.ClientID) || !storable(r.Subject):
		return fmt.Errorf("storage: %s record: grant, client or subject is not UTF-8 without NUL", r.Kind)
	case !allStorable(r.Scope) || !allStorable(r.Audience):
		return fmt.Errorf("storage: %s record: scope or audience is not UTF-8 without NUL", r.Kind)
	}
	return nil
}

// validKind reports whether a kind is short and plain enough to be a part of a
// key in any database.
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

// storable reports whether every database can store the text unchanged.
func storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func allStorable(list []string) bool {
	for _, s := range list {
		if !storable(s) {
			return false
		}
	}
	return true
}
