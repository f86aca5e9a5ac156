package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the table names
	_ "crypto/sha512"
)

// The names of the algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC
// 9864 section 2.2). EdDSA and Ed25519 are two names of one algorithm here,
// because Ed25519 is the only curve of EdDSA that keys may have.
const (
	RS256   = "RS256"
	RS384   = "RS384"
	RS512   = "RS512"
	PS256   = "PS256"
	PS384   = "PS384"
	PS512   = "PS512"
	ES256   = "ES256"
	ES384   = "ES384"
	ES512   = "ES512"
	EdDSA   = "EdDSA"
	Ed25519 = "Ed25519"
	HS256   = "HS256"
	HS384   = "HS384"
	HS512   = "HS512"
)

// PublicKeyAlgorithms returns the names of the algorithms that are signed with
// a private key, in the order of the constants.
func PublicKeyAlgorithms() []string {
	return []string{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519}
}

// family is the kind of key that an algorithm needs.
type family int

const (
	rsaPKCS1 family = iota + 1
	rsaPSS
	ecdsaCurve
	ed25519Curve
	hmacSecret
)

type algorithm struct {
	family family
	hash   crypto.Hash
	curve  elliptic.Curve
}

// algorithms is the whole table. A name that is not in it does not exist:
// above all "none", and the algorithms of encryption.
var algorithms = map[string]algorithm{
	RS256:   {family: rsaPKCS1, hash: crypto.SHA256},
	RS384:   {family: rsaPKCS1, hash: crypto.SHA384},
	RS512:   {family: rsaPKCS1, hash: crypto.SHA512},
	PS256:   {family: rsaPSS, hash: crypto.SHA256},
	PS384:   {family: rsaPSS, hash: crypto.SHA384},
	PS512:   {family: rsaPSS, hash: crypto.SHA512},
	ES256:   {family: ecdsaCurve, hash: crypto.SHA256, curve: elliptic.P256()},
	ES384:   {family: ecdsaCurve, hash: crypto.SHA384, curve: elliptic.P384()},
	ES512:   {family: ecdsaCurve, hash: crypto.SHA512, curve: elliptic.P521()},
	EdDSA:   {family: ed25519Curve},
	Ed25519: {family: ed25519Curve},
	HS256:   {family: hmacSecret, hash: crypto.SHA256},
	HS384:   {family: hmacSecret, hash: crypto.SHA384},
	HS512:   {family: hmacSecret, hash: crypto.SHA512},
}

// Known reports whether the algorithm exists here.
func Known(alg string) bool { return algorithms[alg].family != 0 }

// PublicKey reports whether the algorithm exists here and is signed with a
// private key. The others are HMACs, whose secret both sides have.
func PublicKey(alg string) bool { return Known(alg) && algorithms[alg].family != hmacSecret }

// SameAlgorithm reports whether two names stand for one algorithm. They are
// equal, but for the second name that RFC 9864 gave EdDSA on Ed25519.
func SameAlgorithm(a, b string) bool {
	return a == b || algorithms[a].family == ed25519Curve && algorithms[b].family == ed25519Curve
}

// Fits reports whether key is of the one kind that the algorithm is defined
// for: an RSA key never checks an ECDSA signature, and ES256 is P-256 and no
// other curve. The key is an [*rsa.PublicKey], [*ecdsa.PublicKey],
// [ed25519.PublicKey] or [Secret].
func Fits(alg string, key any) bool {
	a := algorithms[alg]
	switch k := key.(type) {
	case *rsa.PublicKey:
		return a.family == rsaPKCS1 || a.family == rsaPSS
	case *ecdsa.PublicKey:
		return a.family == ecdsaCurve && k.Curve == a.curve
	case ed25519.PublicKey:
		return a.family == ed25519Curve
	case Secret:
		// RFC 7518 section 3.2: a key as long as the hash, or longer.
		return a.family == hmacSecret && len(k) >= a.hash.Size()
	default:
		return false
	}
}
