package introspect

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
)

// confirm enforces the binding of a token. A token that is bound to a DPoP key is
// accepted under the scheme DPoP only, and no other token is accepted under it
// (RFC 9449 sections 7.1 and 7.2). Confirm cannot change that, so a stolen token
// cannot be presented as a bearer token.
func (g Guard) confirm(r *http.Request, c credential, t *Token) *Refusal {
	_, dpop := t.Confirmation["jkt"]
	dpop = dpop || strings.EqualFold(t.TokenType, "DPoP")
	if dpop != strings.EqualFold(c.scheme, "DPoP") {
		return invalidToken(ReasonConfirmation)
	}
	if len(t.Confirmation) == 0 && !dpop {
		return nil
	}
	if g.Confirm == nil {
		return invalidToken(ReasonConfirmation)
	}
	err := g.Confirm(r, t)
	if err == nil {
		return nil
	}
	g.log(r.Context(), slog.LevelDebug, "introspect: possession of the key was not proven", "error", err)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return invalidToken(ReasonConfirmation)
}

// ConfirmCertificate is a Confirm of a [Guard] for mutual TLS (RFC 8705 section 3).
// The client certificate of the connection must be the one that x5t#S256 names.
// It refuses a token with any other member in its cnf. The TLS connection must end
// in this process: the function reads r.TLS, and no header, which a client could
// send itself.
func ConfirmCertificate(r *http.Request, t *Token) error {
	bound := t.Confirmation["x5t#S256"]
	if bound == "" || len(t.Confirmation) != 1 {
		return errors.New("introspect: the token is not bound to a certificate alone")
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return errors.New("introspect: no client certificate")
	}

	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	own := base64.RawURLEncoding.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(own), []byte(bound)) != 1 {
		return errors.New("introspect: another client certificate")
	}
	return nil
}
