package jws

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/grantwell/grantwell/internal/base/keycost"
	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// MaxSetSize is the size of the largest JWK Set that is read, in octets.
const MaxSetSize = 512 << 10

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
	keys, _, err := ReadSet(data, maxKeys)
	return keys, err
}

// ReadSet is [ParseSet], and also returns why each of the other keys was left out.
func ReadSet(data []byte, maxKeys int) (keys []Key, dropped []string, err error) {
	members, err := strictjson.Members(data, strictjson.Limits{Size: MaxSetSize, Depth: setDepth})
	if err != nil {
		return nil, nil, fmt.Errorf("jws: key set: %w", err)
	}
	var list []json.RawMessage
	if json.Unmarshal(members["keys"], &list) != nil || list == nil {
		return nil, nil, errors.New("jws: key set: no array of keys")
	}
	if len(list) > maxKeys {
		return nil, nil, fmt.Errorf("jws: key set: more than %d keys", maxKeys)
	}

	for i, text := range list {
		key, fault, err := parseJWK(text)
		if err != nil {
			return nil, nil, fmt.Errorf("jws: key set: key %d: %w", i, err)
		}
		if fault != "" {
			dropped = append(dropped, fmt.Sprintf("key %d (kid %.64q): %s", i, key.ID, fault))
			continue
		}
		keys = append(keys, key)
	}
	return keys, dropped, nil
}

// ParseKey reads one public JWK (RFC 7517 section 4) that must be usable. The
// caller bounds the text.
func ParseKey(data []byte) (Key, error) {
	if err := strictjson.Check(data, strictjson.Limits{Depth: setDepth}); err != nil {
		return Key{}, fmt.Errorf("jws: key: %w", err)
	}
	key, fault, err := parseJWK(data)
	if err != nil {
		return Key{}, fmt.Errorf("jws: key: %w", err)
	}
	if fault != "" {
		return Key{}, fmt.Errorf("jws: key: it does not verify signatures here: %s", fault)
	}
	return key, nil
}

// parseJWK reads a key whose JSON was checked. If the key is to be left out, fault
// says why.
//
// The members about certificates (RFC 7517 sections 4.6 to 4.9) are no part of the
// key, and a fault in them does not make it unusable. Only the dates of the first
// certificate are read, if it holds the same key.
func parseJWK(data []byte) (key Key, fault string, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return Key{}, "", errors.New("it is not an object")
	}
	for _, name := range private {
		if _, ok := members[name]; ok {
			return Key{}, "", errSecret
		}
	}
	_ = json.Unmarshal(members["kid"], &key.ID) // for the error text
	if !mayVerify(members["key_ops"]) {
		return key, "its key_ops lack verify", nil
	}

	chain := members["x5c"]
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(withoutCertificates(data, members)); err != nil {
		return key, fmt.Sprintf("%.200s", err.Error()), nil
	}
	if jwk.Use != "" && jwk.Use != "sig" {
		return key, fmt.Sprintf("its use is %.32q, not sig", jwk.Use), nil
	}
	usable, err := NewKey(jwk.Key)
	if err != nil {
		return key, fmt.Sprintf("%.200s", err.Error()), nil
	}
	usable.ID = jwk.KeyID
	usable.Algorithm = jwk.Algorithm
	if cert := firstCertificate(chain); cert != nil && sameKey(cert.PublicKey, jwk.Key) {
		usable.NotBefore = cert.NotBefore
		usable.NotAfter = cert.NotAfter
	}
	if usable.Algorithm != "" && !Fits(usable.Algorithm, usable.Key) {
		return key, fmt.Sprintf("its alg %.32q is unknown or of another type of key", usable.Algorithm), nil
	}
	return usable, "", nil
}

// withoutCertificates returns a JWK without the members about certificates.
func withoutCertificates(data []byte, members map[string]json.RawMessage) []byte {
	found := false
	for _, name := range []string{"x5c", "x5t", "x5t#S256", "x5u"} {
		if _, ok := members[name]; ok {
			delete(members, name)
			found = true
		}
	}
	if !found {
		return data
	}
	// The members were read from valid JSON, so there is no error.
	text, _ := json.Marshal(members)
	return text
}

// firstCertificate returns the first certificate of an x5c, or nil.
func firstCertificate(chain json.RawMessage) *x509.Certificate {
	var list [][]byte
	if json.Unmarshal(chain, &list) != nil || len(list) == 0 {
		return nil
	}
	cert, err := x509.ParseCertificate(list[0])
	if err != nil {
		return nil
	}
	return cert
}

// sameKey reports whether two public keys are equal.
func sameKey(a, b any) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
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

// Candidates returns the keys that may have signed a token with this header, as many
// as package keycost lets one token cost. A kid selects; several keys may bear the
// same, and a key without one is always a candidate.
func Candidates(keys []Key, h Header) []Key {
	var fit []Key
	var budget keycost.Budget
	for _, k := range keys {
		named := h.KeyID == "" || k.ID == "" || k.ID == h.KeyID
		if !named || !k.Serves(h.Algorithm) {
			continue
		}
		if !budget.Take(k.Key) {
			break
		}
		fit = append(fit, k)
	}
	return fit
}
