package jws

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// MaxSetSize is the size of the largest JWK Set that is read, in octets.
const MaxSetSize = 512 << 10

// MaxTries is how many keys are tried on one token. It matters only to tokens
// without kid, and to sets whose keys share one.
const MaxTries = 8

// setDepth bounds the nesting of a JWK Set. Four levels are usual.
const setDepth = 16

// private are the members of a JWK that hold private or secret material.
var private = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

var errSecret = errors.New("it is private or secret, and must be replaced")

// ParseSet reads a JWK Set (RFC 7517 section 5) of at most 512 KiB and the given
// number of keys.
//
// Keys that cannot verify a signature are left out, as the RFC recommends:
// other key types and curves, RSA outside 2048 to 4096 bits, a use other than
// sig, key_ops without verify, an alg that is unknown or does not fit the key.
// A set with private or symmetric key material is refused as a whole, because
// it was published by mistake. A set without a usable key is no error.
func ParseSet(data []byte, maxKeys int) ([]Key, error) {
	members, err := strictjson.Members(data, strictjson.Limits{Size: MaxSetSize, Depth: setDepth})
	if err != nil {
		return nil, fmt.Errorf("jws: key set: %w", err)
	}
	var list []json.RawMessage
	if json.Unmarshal(members["keys"], &list) != nil || list == nil {
		return nil, errors.New("jws: key set: no array of keys")
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("jws: key set: more than %d keys", maxKeys)
	}

	var keys []Key
	for i, text := range list {
		key, usable, err := parseJWK(text)
		if err != nil {
			return nil, fmt.Errorf("jws: key set: key %d: %w", i, err)
		}
		if usable {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// ParseKey reads one public JWK (RFC 7517 section 4) that must be usable. The
// caller bounds the text.
func ParseKey(data []byte) (Key, error) {
	if err := strictjson.Check(data, strictjson.Limits{Depth: setDepth}); err != nil {
		return Key{}, fmt.Errorf("jws: key: %w", err)
	}
	key, usable, err := parseJWK(data)
	if err != nil {
		return Key{}, fmt.Errorf("jws: key: %w", err)
	}
	if !usable {
		return Key{}, errors.New("jws: key: it does not verify signatures here")
	}
	return key, nil
}

// parseJWK reads a key whose JSON was checked. It reports false for a key that
// is to be left out.
func parseJWK(data []byte) (key Key, usable bool, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return Key{}, false, errors.New("it is not an object")
	}
	for _, name := range private {
		if _, ok := members[name]; ok {
			return Key{}, false, errSecret
		}
	}
	if !mayVerify(members["key_ops"]) {
		return Key{}, false, nil
	}

	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) != nil || jwk.Use != "" && jwk.Use != "sig" {
		return Key{}, false, nil //nolint:nilerr // an unusable key is skipped (RFC 7517 section 5)
	}
	if key, err = NewKey(jwk.Key); err != nil {
		return Key{}, false, nil //nolint:nilerr // an unusable key is skipped (RFC 7517 section 5)
	}
	key.ID = jwk.KeyID
	key.Algorithm = jwk.Algorithm
	if len(jwk.Certificates) > 0 {
		key.NotBefore = jwk.Certificates[0].NotBefore
		key.NotAfter = jwk.Certificates[0].NotAfter
	}
	return key, key.Algorithm == "" || Fits(key.Algorithm, key.Key), nil
}

// mayVerify judges key_ops (RFC 7517 section 4.3). Without it every use is
// allowed.
func mayVerify(operations json.RawMessage) bool {
	if operations == nil {
		return true
	}
	var list []string
	return json.Unmarshal(operations, &list) == nil && slices.Contains(list, "verify")
}

// readKey takes the public key out of the header, and returns what is wrong
// with it or "".
func (h *Header) readKey(value any) (fault string) {
	text, err := json.Marshal(value)
	if err != nil {
		return "header member \"jwk\" is not a key"
	}
	key, err := ParseKey(text)
	if err != nil {
		return "header member \"jwk\" is not a public key that verifies signatures"
	}
	if !key.Serves(h.Algorithm) {
		return "header member \"jwk\" is not a key of the algorithm"
	}
	h.Key = &key
	return ""
}

// Candidates returns the keys that may have signed a token with this header, at
// most [MaxTries]. A kid selects; several keys may bear the same, and a key
// without one is always a candidate.
func Candidates(keys []Key, h Header) []Key {
	var fit []Key
	for _, k := range keys {
		named := h.KeyID == "" || k.ID == "" || k.ID == h.KeyID
		if !named || !k.Serves(h.Algorithm) {
			continue
		}
		if fit = append(fit, k); len(fit) == MaxTries {
			break
		}
	}
	return fit
}
