package introspect

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = 1

// Refusal is the answer to a request that a [Guard] does not let through. As an error of Guard.Confirm
// it sets that answer.
type Refusal struct {
	// Status is the HTTP status; 401 when zero.
	Status int
	// Code is the OAuth error code (RFC 6750 section 3.1); empty for a request without credentials,
	// which is told nothing.
	Code string
	// Description goes to the client as error_description: never put a cause into it.
	Description string
	// Scheme is the scheme of the challenge, as "DPoP"; empty means the first of Guard.Lookup.Schemes.
	Scheme string
	// Scope lists the scopes that the request needs.
	Scope []string
	// Reason is why the token was refused, for an ErrorHandler; it is not sent.
	Reason Reason
	// Header is added to the response, as DPoP-Nonce.
	Header http.Header
}

// Error names the code, for a log.
func (r *Refusal) Error() string { return "introspect: refused: " + r.Code }

func invalidToken(why Reason) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Description: why.description(), Reason: why}
}

// refuse sends the challenge and the body.
func (g Guard) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	answer := *refusal // the host's own value stays as it was
	if answer.Status == 0 {
		answer.Status = http.StatusUnauthorized
	}
	g.log(r.Context(), slog.LevelDebug, "introspect: request refused", "status", answer.Status, "code", answer.Code, "reason", string(answer.Reason))
	header := w.Header()
	for name, values := range answer.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Cache-Control", "no-store")
	if answer.Status < http.StatusInternalServerError {
		header["Www-Authenticate"] = g.challenges(&answer)
	} else if answer.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if g.ErrorHandler != nil {
		g.ErrorHandler(w, r, &answer)
		return
	}
	if answer.Code == "" {
		w.WriteHeader(answer.Status)
		return
	}
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{sendable(answer.Code), sendable(answer.Description)})
	if err != nil { // strings always marshal
		body = []byte(`{"error":"server_error"}`)
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	_, _ = w.Write(body) // the client is gone: nothing is left to tell it
}

// challenges builds one WWW-Authenticate value for each scheme that is accepted; only the one that the
// refusal concerns says what was wrong.
func (g Guard) challenges(refusal *Refusal) []string {
	schemes := g.Lookup.schemes()
	concerned := refusal.Scheme
	if concerned == "" {
		concerned = schemes[0]
	}
	var out []string
	for _, scheme := range schemes {
		if strings.EqualFold(scheme, concerned) {
			out = append(out, g.challenge(scheme, refusal))
		} else {
			out = append(out, g.challenge(scheme, &Refusal{}))
		}
	}
	return out
}

func (g Guard) challenge(scheme string, refusal *Refusal) string {
	var b strings.Builder
	b.WriteString(scheme)
	separator := " "
	add := func(name, value string) {
		if value != "" {
			b.WriteString(separator + name + "=" + quoted(value))
			separator = ", "
		}
	}
	realm := g.Realm
	if realm == "" {
		realm = "api"
	}
	add("realm", realm)
	add("error", sendable(refusal.Code))
	add("error_description", sendable(refusal.Description))
	add("scope", sendable(strings.Join(refusal.Scope, " ")))
	add("resource_metadata", g.MetadataURL)
	return b.String()
}

// quoted is a quoted-string of RFC 9110 section 5.6.4.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// sendable keeps the characters that RFC 6750 section 3 allows in error, error_description and scope.
func sendable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, s)
}

// printable reports whether s can stand in a quoted-string.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}
