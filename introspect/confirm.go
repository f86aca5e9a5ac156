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

// confirm enforces the binding of a token. A token bound to a DPoP key comes under the DPoP scheme
// and under no other, and the scheme takes no other token (RFC 9449 section 7.1 and 7.2), whatever
// Confirm says: so a stolen one cannot be downgraded to a bearer token.
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

// ConfirmCertificate is a [Guard] Confirm for mutual TLS (RFC 8705 section 3): the client certificate
// of the connection must be the one that x5t#S256 names. It refuses a token with any other member in
// its cnf. The connection must end in this process: it reads r.TLS and no header that a client could
// send itself.
func ConfirmCertificate(r *http.Request, t *Token) error {
	bound := t.Confirmation["x5t#S256"]
	if bound == "" || len(t.Confirmation) != 1 {
		return errors.New("introspect: the token is bound by something else than a certificate")
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
