package assertion

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// jwtSigner is whom a token claims to be signed by, and with what that party may sign.
type jwtSigner struct {
	known      bool
	keys       KeySource       // nil: jwks
	jwks       json.RawMessage // parsed when keys is nil
	secrets    [][]byte        // client_secret_jwt only, and then instead of keys
	algorithms []string        // nil: those of the family
	dates      bool            // [JWTRules.CertificateDates]
}

// allows tells whether the signer may use alg. The family is fixed by whether it has secrets or keys, so
// that a public key never checks an HMAC and a secret nothing else.
func (s *jwtSigner) allows(alg string) bool {
	if publicKeyAlgorithm(alg) == (s.secrets != nil) {
		return false
	}
	return s.algorithms == nil || slices.ContainsFunc(s.algorithms, func(a string) bool { return sameAlgorithm(a, alg) })
}

// checkSignature finds the key that signed t. An unknown signer, one without a fitting key and one whose
// key does not verify are told apart in the reason but not by the time they take: each pays for a
// verification. It comes before every other check that could tell something about the signer.
func (j *JWT) checkSignature(ctx context.Context, use Use, t *jwtToken, s jwtSigner, now time.Time) (publicKey, *Error) {
	alg, ok := jwtAlgorithms[t.alg]
	if !ok {
		return publicKey{}, newError(use, ReasonAlgorithm, "algorithm %s does not exist here", shown(t.alg))
	}
	digest := alg.digest(t.signed)
	refuse := func(reason Reason, format string, args ...any) (publicKey, *Error) {
		alg.spendTime(digest, t.signature)
		return publicKey{}, newError(use, reason, format, args...)
	}
	if !s.known {
		return refuse(ReasonIssuer, "%s is not known", shown(claimed(t)))
	}
	if !s.allows(t.alg) {
		return refuse(ReasonAlgorithm, "algorithm %s is not for %s", shown(t.alg), shown(claimed(t)))
	}
	candidates, refusal := j.candidates(ctx, use, t, s)
	if refusal != nil {
		return publicKey{}, refusal
	}
	candidates = slices.DeleteFunc(candidates, func(k publicKey) bool {
		return !alg.fits(k.key) || s.dates && !k.notAfter.IsZero() && (now.Before(k.notBefore) || now.After(k.notAfter))
	})
	if len(candidates) == 0 {
		return refuse(ReasonKey, "%s has no valid key for kid %s and algorithm %s", shown(claimed(t)), shown(t.kid), t.alg)
	}
	for _, k := range candidates {
		if alg.verify(k.key, digest, t.signature) {
			return k, nil
		}
	}
	return publicKey{}, newError(use, ReasonSignature, "no key of %s verifies it, kid %s", shown(claimed(t)), shown(t.kid))
}

// candidates returns the keys to try, which are the claimed signer's own and nobody else's.
func (j *JWT) candidates(ctx context.Context, use Use, t *jwtToken, s jwtSigner) ([]publicKey, *Error) {
	if s.secrets != nil {
		var secrets []publicKey
		for _, secret := range s.secrets[:min(len(s.secrets), maxKeyTries)] {
			secrets = append(secrets, publicKey{key: hmacSecret(secret)})
		}
		return secrets, nil
	}
	var set *KeySet
	var err error
	if s.keys != nil {
		set, err = s.keys.Keys(ctx, t.kid)
	} else if len(s.jwks) > 0 {
		set, err = ParseJWKS(s.jwks)
	}
	if err != nil {
		jwtAlgorithms[t.alg].spendTime([]byte(t.signed), t.signature)
		return nil, newError(use, ReasonKey, "the keys of %s", shown(claimed(t))).because(err)
	}
	if set == nil {
		return nil, nil
	}
	return set.candidates(t.kid, t.alg), nil
}

// claimed is the issuer that t names, for a log line.
func claimed(t *jwtToken) string {
	iss, _ := t.claims["iss"].(string)
	return iss
}
