package storage

import (
	"fmt"
	"strings"
	"time"
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
//   - Data above [MaxData],
//   - an IssuedAt or ExpiresAt outside of the years 1 to 294246, and
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
	case !keepable(lastSecond, r.IssuedAt, r.ExpiresAt):
		return fmt.Errorf("storage: %s record: issue or expiry is outside of the years 1 to 294246", r.Kind)
	case !allStorable([]string{r.GrantID, r.ClientID, r.Subject}):
		return fmt.Errorf("storage: %s record: grant, client or subject is not UTF-8 without NUL", r.Kind)
	case !allStorable(r.Scope) || !allStorable(r.Audience):
		return fmt.Errorf("storage: %s record: scope or audience is not UTF-8 without NUL", r.Kind)
	}
	return nil
}

// The bounds of a time in seconds since 1970.
const (
	// firstSecond is the first one of the year 1, which the zero time is in.
	firstSecond = -62135596800

	// lastSecond is the last one of the year 294246. Databases count microseconds
	// in 64 bits: a time in the year 294248 would come back as one in the past.
	lastSecond = 9223371244799

	// lastSecondJSON is the last one of the year 9999, after which a time has no
	// form in JSON (RFC 3339 section 1). Clients are stored as JSON.
	lastSecondJSON = 253402300799
)

// keepable reports whether no time is after the last second, or before the year 1. It compares seconds: the year of a time far beyond these bounds
// overflows.
func keepable(last int64, times ...time.Time) bool {
	for _, t := range times {
		if t.Unix() < firstSecond || t.Unix() > last {
			return false
		}
	}

	return true
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
