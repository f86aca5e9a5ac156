package assertion

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// jwtSigner is the party that a token names as its signer, with its keys and
// algorithms.
type jwtSigner struct {
	known bool
	keys  KeySetSource
	// jwks is read if keys is nil.
	jwks json.RawMessage
	// secrets are those of client_secret_jwt. If it is not nil, there are no
	// keys.
	secrets [][]byte
	// algorithms are the allowed ones. Nil means all of the family.
	algorithms []string
	// dates is [JWTRules.CertificateDates].
	dates bool
}

// allows reports whether the signer may use the algorithm. A signer has either
// secrets or keys, so a public key never checks an HMAC, and a secret checks nothing
// else.
func (s *jwtSigner) allows(alg string) bool {
	if jws.PublicKey(alg) == (s.secrets != nil) {
		return false
	}
	return s.algorithms == nil || slices.ContainsFunc(s.algorithms, func(a string) bool { return jws.SameAlgorithm(a, alg) })
}

// checkSignature returns the key that verifies t. It comes before every other check
// that depends on the signer.
//
// The reasons for an unknown signer, for one without a fitting key, and for one whose
// key does not verify are different, but the time is the same: a verification is done
// in each case. So a client cannot find out which signers exist.
func (j *JWTVerifier) checkSignature(ctx context.Context, use Use, t *jwtToken, s jwtSigner, now time.Time) (jws.Key, *Error) {
	alg := t.Header.Algorithm
	if !jws.Known(alg) {
		return jws.Key{}, newError(use, ReasonAlgorithm, "algorithm %s does not exist here", shown(alg))
	}
	refuse := func(reason Reason, format string, args ...any) (jws.Key, *Error) {
		t.SpendTime()
		return jws.Key{}, newError(use, reason, format, args...)
	}
	if !s.known {
		return refuse(ReasonIssuer, "%s is not known", shown(claimed(t)))
	}
	if !s.allows(alg) {
		return refuse(ReasonAlgorithm, "algorithm %s is not for %s", shown(alg), shown(claimed(t)))
	}

	candidates, dropped, err := s.candidates(ctx, t)
	if err != nil {
		t.SpendTime()
		return jws.Key{}, newError(use, ReasonKey, "the keys of %s", shown(claimed(t))).because(err)
	}
	candidates = slices.DeleteFunc(candidates, func(k jws.Key) bool {
		return !k.Serves(alg) || s.dates && outOfDate(k, now)
	})
	if len(candidates) == 0 {
		return refuse(ReasonKey, "%s has no valid key for kid %s and algorithm %s%s",
			shown(claimed(t)), shown(t.Header.KeyID), alg, leftOut(dropped))
	}

	key, verified := t.Verify(candidates)
	if !verified {
		return jws.Key{}, newError(use, ReasonSignature, "no key of %s verifies it, kid %s", shown(claimed(t)), shown(t.Header.KeyID))
	}
	return key, nil
}

// outOfDate reports whether the key came in a certificate that is not valid
// now.
func outOfDate(k jws.Key, now time.Time) bool {
	return !k.NotAfter.IsZero() && (now.Before(k.NotBefore) || now.After(k.NotAfter))
}

// candidates returns the keys to try, which are the claimed signer's own, and why other
// keys of its set were left out.
func (s *jwtSigner) candidates(ctx context.Context, t *jwtToken) (keys []jws.Key, dropped []string, err error) {
	if s.secrets != nil {
		for _, secret := range s.secrets {
			keys = append(keys, jws.NewSecret(secret))
		}
		return keys, nil, nil
	}

	var set *KeySet
	if s.keys != nil {
		set, err = s.keys.Keys(ctx, t.Header.KeyID)
	} else if len(s.jwks) > 0 {
		set, err = ParseJWKS(s.jwks)
	}
	if err != nil || set == nil {
		return nil, nil, err
	}
	return jws.Candidates(set.keys, t.Header), set.dropped, nil
}

// leftOut returns the first keys that were left out of a set for an error text.
func leftOut(dropped []string) string {
	const most = 4
	if len(dropped) == 0 {
		return ""
	}
	return "; left out of its key set: " + strings.Join(dropped[:min(most, len(dropped))], "; ")
}

// claimed returns the issuer that t names, which is not verified.
func claimed(t *jwtToken) string {
	iss, _ := t.claims["iss"].(string)
	return iss
}
