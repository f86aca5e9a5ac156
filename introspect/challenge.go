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

// Refusal is the answer to a request that a [Guard] refuses. As an error of
// Guard.Confirm it sets that answer.
type Refusal struct {
	// Status is the HTTP status. Zero means 401.
	Status int
	// Code is the OAuth error code (RFC 6750 section 3.1). It is empty for a
	// request without credentials, to which RFC 6750 sends no error.
	Code string
	// Description is sent to the client as error_description. Do not put a
	// cause into it.
	Description string
	// Scheme is the scheme of the challenge, for example "DPoP". Empty means
	// the first of Guard.Lookup.Schemes.
	Scheme string
	// Scope lists the scopes that the request needs.
	Scope []string
	// Reason is why the token was refused, for an ErrorHandler. It is not sent.
	Reason Reason
	// Header is added to the response, for example DPoP-Nonce.
	Header http.Header
}

// Error returns a text for a log, with the code.
func (r *Refusal) Error() string { return "introspect: refused: " + r.Code }

func invalidToken(why Reason) *Refusal {
	return &Refusal{
		Status:      http.StatusUnauthorized,
		Code:        "invalid_token",
		Description: why.description(),
		Reason:      why,
	}
}

// refuse sends the challenge and the body.
func (g Guard) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	// The refusal may be a value of the host's, which must not change.
	answer := *refusal
	if answer.Status == 0 {
		answer.Status = http.StatusUnauthorized
	}
	g.log(r.Context(), slog.LevelDebug, "introspect: request refused",
		"status", answer.Status, "code", answer.Code, "reason", string(answer.Reason))

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
	writeRefusal(w, &answer)
}

// writeRefusal sends the status and the JSON of RFC 6749 section 5.2. A refusal
// without a code has no body.
func writeRefusal(w http.ResponseWriter, answer *Refusal) {
	if answer.Code == "" {
		w.WriteHeader(answer.Status)
		return
	}
	// Strings always have a JSON form, so there is no error.
	body, _ := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{sendable(answer.Code), sendable(answer.Description)})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	// An error means that the client has closed the connection.
	_, _ = w.Write(body)
}

// challenges returns one WWW-Authenticate value for each scheme that is accepted.
// Only that of the refusal's scheme has the error.
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

// challenge returns the WWW-Authenticate value of one scheme (RFC 6750 section 3).
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

// quoted returns s as a quoted-string of RFC 9110 section 5.6.4.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// sendable removes the characters that RFC 6750 section 3 does not allow in error,
// error_description and scope.
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
