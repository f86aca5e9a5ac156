// Package jws reads compact JSON Web Signatures (RFC 7515) and JWK Sets (RFC
// 7517) that another party wrote.
//
// [Parse] takes a token apart and believes nothing in it. [Token.Verify] checks
// its signature with keys that the caller trusts: those of [ParseSet], or of
// [NewKey] and [NewSecret]. What the token says may be used after that.
//
// The reader is strict where implementations are known to disagree or to have
// failed: one spelling of base64url, a header read by package strictjson, no
// header member that changes what is verified (crit, b64, zip, enc, a nested
// JWT), no key out of the header unless the caller asks for it, sizes bounded
// before anything is decoded. A key verifies only the algorithms of its type,
// curve and "alg", so a token cannot choose how its key is used (RFC 8725
// sections 3.1 and 3.2). The algorithm "none" does not exist here.
//
// JWKs are read by go-jose. Signatures are verified by the standard library
// directly, because go-jose does not know the algorithm Ed25519 of RFC 9864 and
// would read each token a second time; in tests it is the second opinion.
package jws

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// headerDepth bounds the nesting of a header: a jwk member needs two levels.
const headerDepth = 16

// Rules say which tokens are read. The zero value reads any length.
type Rules struct {
	// Size bounds the token, and HeaderSize its encoded header, in characters.
	// Zero: the caller has bounded the token already.
	Size       int
	HeaderSize int
	// Padding reads segments with base64 padding, against RFC 7515 section 2.
	// [Token.Padded] reports it. The signature covers the text as it is.
	Padding bool
	// Keys says what happens to keys in the header. By default they are
	// refused.
	Keys HeaderKeys
}

// HeaderKeys says what happens to the header members that carry a key or refer
// to one: jwk, jku, x5c and x5u (RFC 7515 section 4.1).
type HeaderKeys int

const (
	// RefuseKeys refuses a token with any of them.
	RefuseKeys HeaderKeys = iota
	// IgnoreKeys passes over them. It is for senders that attach their
	// certificate to every token.
	IgnoreKeys
	// DemandKey wants a public key in jwk and refuses the others. The key says
	// nothing about its owner: see RFC 9449 section 4.3.
	DemandKey
)

// Token is a compact JWS taken apart. Nothing in it is verified.
type Token struct {
	Header Header
	// Payload is the decoded second segment. A caller that must read it before
	// [Token.Verify] may use it to find keys and for nothing else.
	Payload []byte
	// Signature is the decoded third segment, empty if the segment is.
	Signature []byte
	// Signed is the text that the signature covers.
	Signed string
	// Padded reports that a segment had base64 padding.
	Padded bool
}

// Header is the JOSE header of a token.
type Header struct {
	// Algorithm is "alg". It may be a name that package jws does not know.
	Algorithm string
	// Type is "typ" as it was written, or "". Compare it by [SameType].
	Type string
	// KeyID is "kid", or "" if there is none or it is empty.
	KeyID string
	// Key is the key in "jwk" under [DemandKey], otherwise nil.
	Key *Key
	// Members are all members. Numbers are json.Number.
	Members map[string]any
}

// Kind is the part of a token that is wrong.
type Kind int

const (
	// Encoding says that a token is not three segments of base64url, or too long.
	Encoding Kind = iota + 1
	// Syntax says that the header is not one JSON object, or has a name twice.
	Syntax
	// Structure says that a header member is not supported, or of the wrong type.
	Structure
)

// Error is the error of [Parse]. Its text has no part of the token but the
// name of a header member that this package knows.
type Error struct {
	Kind Kind
	text string
}

// Error returns the text for the operator.
func (e *Error) Error() string { return "jws: " + e.text }

// These errors need no memory, however large the token is.
var (
	errSize     = &Error{Kind: Encoding, text: "the token is too long"}
	errHeader   = &Error{Kind: Encoding, text: "the header is too long"}
	errSegments = &Error{Kind: Encoding, text: "not the three segments of a compact JWS"}
	errSyntax   = &Error{Kind: Syntax, text: "the header is not one JSON object without repeated names"}
)

// Parse takes a compact JWS apart (RFC 7515 section 7.1). The error is always
// an [*Error].
func Parse(text string, rules Rules) (*Token, error) {
	if rules.Size > 0 && len(text) > rules.Size {
		return nil, errSize
	}
	// The dots are counted before the text is split, so that a text of dots
	// costs no memory.
	if strings.Count(text, ".") != 2 {
		return nil, errSegments
	}
	head, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if rules.HeaderSize > 0 && len(head) > rules.HeaderSize {
		return nil, errHeader
	}

	t := &Token{Signed: text[:len(head)+1+len(payload)]}
	var header []byte
	for _, segment := range [...]struct {
		name string
		text string
		into *[]byte
	}{
		{"header", head, &header},
		{"payload", payload, &t.Payload},
		{"signature", signature, &t.Signature},
	} {
		decoded, ok := t.decode(segment.text, rules.Padding)
		if !ok {
			return nil, &Error{Kind: Encoding, text: "the " + segment.name + " is not base64url"}
		}
		*segment.into = decoded
	}

	members, err := strictjson.Object(header, strictjson.Limits{Depth: headerDepth})
	if err != nil {
		return nil, errSyntax
	}
	if fault := t.Header.read(members, rules.Keys); fault != "" {
		return nil, &Error{Kind: Structure, text: fault}
	}
	return t, nil
}

// decode reads one segment. The standard decoder skips line breaks, which
// would give one token many spellings, so they are refused like every other
// character that is not of the alphabet.
func (t *Token) decode(segment string, padding bool) ([]byte, bool) {
	trimmed := strings.TrimRight(segment, "=")
	if padded := len(segment) - len(trimmed); padded > 0 {
		if !padding || padded > 2 || len(segment)%4 != 0 {
			return nil, false
		}
		t.Padded = true
	}
	if strings.ContainsAny(trimmed, "\r\n") {
		return nil, false
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(trimmed)
	return decoded, err == nil
}

// changing are the members that would change what is verified.
var changing = [...]string{"crit", "b64", "zip", "enc"}

// keyMembers are the members that carry a key or say where one is.
var keyMembers = [...]string{"jwk", "jku", "x5c", "x5u"}

// read takes the members that this package knows, and returns what is wrong
// with them or "".
func (h *Header) read(members map[string]any, keys HeaderKeys) (fault string) {
	for _, name := range changing {
		if _, ok := members[name]; ok {
			return fmt.Sprintf("header member %q is not supported", name)
		}
	}
	for _, name := range keyMembers {
		wanted := keys == IgnoreKeys || keys == DemandKey && name == "jwk"
		if _, ok := members[name]; ok && !wanted {
			return fmt.Sprintf("header member %q is not allowed", name)
		}
	}

	h.Members = members
	for _, m := range [...]struct {
		name string
		into *string
	}{
		{"alg", &h.Algorithm},
		{"typ", &h.Type},
		{"kid", &h.KeyID},
	} {
		value, ok := members[m.name]
		if !ok {
			continue
		}
		if *m.into, ok = value.(string); !ok {
			return fmt.Sprintf("header member %q is not a string", m.name)
		}
	}

	if value, ok := members["cty"]; ok {
		if kind, isString := value.(string); !isString || SameType(kind, "JWT") {
			return "a nested JWT is not supported"
		}
	}
	if keys == DemandKey {
		return h.readKey(members["jwk"])
	}
	return ""
}

// SameType reports whether two values of typ or cty name the same media type.
// RFC 7515 section 4.1.9 lets a sender leave out "application/", and media
// types compare without regard to case.
func SameType(a, b string) bool { return shortType(a) == shortType(b) }

func shortType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}
