package assertion

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the table below names
	_ "crypto/sha512"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// The JWS algorithms of RFC 7518 section 3, RFC 8037 and RFC 9864 that a JWT may be signed with.
// What is not in this table does not exist here: "none" above all, and the encryption algorithms.
var jwtAlgorithms = map[string]jwtAlgorithm{
	"RS256":   {family: algRSA, hash: crypto.SHA256},
	"RS384":   {family: algRSA, hash: crypto.SHA384},
	"RS512":   {family: algRSA, hash: crypto.SHA512},
	"PS256":   {family: algPSS, hash: crypto.SHA256},
	"PS384":   {family: algPSS, hash: crypto.SHA384},
	"PS512":   {family: algPSS, hash: crypto.SHA512},
	"ES256":   {family: algECDSA, hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384":   {family: algECDSA, hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512":   {family: algECDSA, hash: crypto.SHA512, curve: elliptic.P521()},
	"EdDSA":   {family: algEd25519},
	"Ed25519": {family: algEd25519},
	"HS256":   {family: algHMAC, hash: crypto.SHA256},
	"HS384":   {family: algHMAC, hash: crypto.SHA384},
	"HS512":   {family: algHMAC, hash: crypto.SHA512},
}

type algFamily int

const (
	algRSA algFamily = iota + 1
	algPSS
	algECDSA
	algEd25519
	algHMAC
)

type jwtAlgorithm struct {
	family algFamily
	hash   crypto.Hash
	curve  elliptic.Curve
}

// The bounds on RSA keys, in bits. Below, a key can be factored; above, one signature costs a server
// milliseconds that whoever registered the key does not pay.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// publicKeyAlgorithm tells whether alg is signed with a private key, and so may be allowed for grants
// and private_key_jwt. HMAC belongs to client_secret_jwt alone.
func publicKeyAlgorithm(alg string) bool {
	a, ok := jwtAlgorithms[alg]
	return ok && a.family != algHMAC
}

// fits tells whether key is of the one kind that the algorithm is defined for: an RSA key never checks
// an ECDSA signature, and ES256 is P-256 and no other curve.
func (a jwtAlgorithm) fits(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return a.family == algRSA || a.family == algPSS
	case *ecdsa.PublicKey:
		return a.family == algECDSA && k.Curve == a.curve
	case ed25519.PublicKey:
		return a.family == algEd25519
	case hmacSecret:
		// RFC 7518 section 3.2: a key as long as the hash, or longer.
		return a.family == algHMAC && len(k) >= a.hash.Size()
	}
	return false
}

// hmacSecret is a client secret as a key. The type keeps it apart from ed25519.PublicKey and from every
// public key, so that the octets of a public key can never be a secret.
type hmacSecret []byte

// digest hashes the signed octets once, however many keys are tried.
func (a jwtAlgorithm) digest(signed string) []byte {
	if a.family == algEd25519 || a.family == algHMAC {
		return []byte(signed)
	}
	h := a.hash.New()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// verify checks one signature with one key that fits. digest is what [jwtAlgorithm.digest] made.
func (a jwtAlgorithm) verify(key crypto.PublicKey, digest, signature []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if a.family == algPSS {
			// RFC 7518 section 3.5: the salt is as long as the hash.
			return rsa.VerifyPSS(k, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		// RFC 7518 section 3.4: r and s side by side, each as long as the curve's order.
		size := (k.Curve.Params().N.BitLen() + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(k, digest, r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(k, digest, signature)
	case hmacSecret:
		m := hmac.New(a.hash.New, k)
		m.Write(digest)
		return hmac.Equal(m.Sum(nil), signature)
	}
	return false
}

// decoys are keys that nobody holds, one for every kind of algorithm. A signature that no candidate key
// could have made is checked against one of them, so that an unknown client costs the same time as a
// known one and does not stand out.
var decoys = sync.OnceValue(func() []crypto.PublicKey {
	// The modulus is odd and of the usual size, and the answer of this key is never used.
	n := new(big.Int).SetBytes(bytes.Repeat([]byte{0xb7}, minRSABits/8))
	keys := []crypto.PublicKey{&rsa.PublicKey{N: n, E: 65537}, hmacSecret(strings.Repeat("decoy decoy decoy ", 4))}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if k, err := ecdsa.GenerateKey(curve, rand.Reader); err == nil {
			keys = append(keys, k.Public())
		}
	}
	if pub, _, err := ed25519.GenerateKey(rand.Reader); err == nil {
		keys = append(keys, pub)
	}
	return keys
})

// spendTime does the work of one verification whose answer nobody reads.
func (a jwtAlgorithm) spendTime(digest, signature []byte) {
	keys := decoys()
	if i := slices.IndexFunc(keys, a.fits); i >= 0 {
		a.verify(keys[i], digest, signature)
	}
}
