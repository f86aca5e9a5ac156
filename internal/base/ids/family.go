package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// Families makes the IDs of one issuer's grants. Such an ID ends with a mark of its
// issuer, so that issuers that share a store recognize their own records. The zero
// value is of no use: see [FamiliesOf].
type Families struct {
	mark string // "~" and 11 characters
}

// markSize is the length of a mark in bytes.
const markSize = 12

// FamiliesOf returns the IDs of an issuer. Two issuers have the same mark with a
// probability of 2^-64.
func FamiliesOf(issuer string) Families {
	sum := sha256.Sum256([]byte("grantwell issuer\x00" + issuer))

	return Families{mark: "~" + base64.RawURLEncoding.EncodeToString(sum[:8])}
}

// New returns 120 random bits as 20 characters of base64url, and the mark.
func (f Families) New() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails

	var id [20 + markSize]byte
	base64.RawURLEncoding.Encode(id[:20], b[:])
	copy(id[20:], f.mark)

	return string(id[:])
}

// Marked reports whether a grant's ID ends with the mark of any issuer.
func Marked(id string) bool { return len(id) > markSize && id[len(id)-markSize] == '~' }

// Mark returns an ID that has the mark of this issuer behind it.
func (f Families) Mark(id string) string { return id + f.mark }

// Foreign reports whether a grant's ID has the mark of another issuer.
func (f Families) Foreign(id string) bool { return Marked(id) && id[len(id)-markSize:] != f.mark }
