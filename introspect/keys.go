package introspect

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	maxKeySet = 512 << 10 // bytes of a JWK Set
	maxKeys   = 100       // keys in one
	minRSA    = 2048      // bits
	maxRSA    = 8192      // bits; larger ones make each verification slow
)

// publicKey is a key of a JWK Set that verifies signatures, with the algorithms that its type allows.
type publicKey struct {
	id         string
	algorithms []string
	key        any
}

// parseKeys reads a JWK Set (RFC 7517 section 5). Keys that cannot verify signatures are left out, as the RFC says:
// one of an unknown type must not make the others useless. So are symmetric and private ones: a set that publishes a
// secret has no secret.
func parseKeys(data []byte) ([]publicKey, error) {
	if len(data) > maxKeySet {
		return nil, errors.New("introspect: JWK Set too large")
	}
	set, err := parseObject(data)
	if err != nil {
		return nil, errors.New("introspect: not a JWK Set")
	}
	var list []json.RawMessage
	if json.Unmarshal(set["keys"], &list) != nil || list == nil {
		return nil, errors.New("introspect: not a JWK Set")
	}
	if len(list) > maxKeys {
		return nil, errors.New("introspect: too many keys in the JWK Set")
	}
	var keys []publicKey
	for _, raw := range list {
		if key, ok := parseKey(raw); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (publicKey, bool) {
	members, err := parseObject(raw)
	if err != nil {
		return publicKey{}, false
	}
	if ops, ok := members["key_ops"]; ok {
		var names []string
		if json.Unmarshal(ops, &names) != nil || !slices.Contains(names, "verify") {
			return publicKey{}, false
		}
	}
	if use, err := members.text("use"); err != nil || use != "" && use != "sig" {
		return publicKey{}, false
	}
	var jwk jose.JSONWebKey
	if json.Unmarshal(raw, &jwk) != nil || !jwk.Valid() || !jwk.IsPublic() {
		return publicKey{}, false
	}
	algorithms := algorithmsOf(jwk.Key)
	if jwk.Algorithm != "" {
		algorithms = slices.DeleteFunc(algorithms, func(a string) bool { return a != jwk.Algorithm })
	}
	return publicKey{jwk.KeyID, algorithms, jwk.Key}, len(algorithms) > 0
}

// algorithmsOf binds a key to the algorithms of its type, size and curve; none when it must not be used.
func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA || key.E < 3 || key.E%2 == 0 {
			return nil
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().Name {
		case "P-256":
			return []string{"ES256"}
		case "P-384":
			return []string{"ES384"}
		case "P-521":
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return []string{"EdDSA"}
		}
	}
	return nil
}

// verifyWith tries every key that fits the header and returns the payload, or nil; fitting says whether any fitted.
func verifyWith(keys []publicKey, signed *jose.JSONWebSignature, h jwsHeader) (payload []byte, fitting bool) {
	for _, k := range keys {
		if h.kid != "" && k.id != h.kid || !slices.Contains(k.algorithms, h.alg) {
			continue
		}
		fitting = true
		if payload, err := signed.Verify(k.key); err == nil {
			return payload, true
		}
	}
	return nil, fitting
}
