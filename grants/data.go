package grants

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
	"github.com/grantwell/grantwell/storage"
)

// Data is what Grantwell keeps in a record's Data, as JSON with absent members left out.
// One type serves codes, access and refresh tokens, so that what binds a grant (a key, resources,
// details) travels through all of them without a change of any schema.
type Data struct {
	// Of a code: the authorization request.
	RedirectURI      string `json:"redirect_uri,omitempty"`
	RedirectURIGiven bool   `json:"redirect_uri_given,omitempty"` // it was a parameter, so the token request repeats it
	Challenge        string `json:"code_challenge,omitempty"`
	ChallengeMethod  string `json:"code_challenge_method,omitempty"`
	Nonce            string `json:"nonce,omitempty"`

	// Of all: what the grant carries on.
	ID           string            `json:"jti,omitempty"`        // of a signed access token
	GrantType    string            `json:"grant_type,omitempty"` // by which the token was issued
	Claims       map[string]any    `json:"claims,omitempty"`
	Confirmation map[string]string `json:"cnf,omitempty"` // RFC 7800
	Resource     []string          `json:"resource,omitempty"`
	Details      json.RawMessage   `json:"authorization_details,omitempty"` // RFC 9396
	AuthTime     int64             `json:"auth_time,omitempty"`             // Unix seconds
	Consent      int               `json:"consent,omitempty"`               // generation of the consent; 0: none
	FamilyEnd    int64             `json:"family_end,omitempty"`            // Unix seconds: no refresh extends it

	// Of a spent refresh token: the answer to a retry, sealed under a key that only its holder has.
	Retry      []byte `json:"retry,omitempty"`
	RetryUntil int64  `json:"retry_until,omitempty"` // Unix milliseconds
}

// Encode returns the JSON, or nil when there is nothing to say.
func (d Data) Encode() ([]byte, error) {
	if d.empty() {
		return nil, nil
	}
	o := jsonenc.Object{Text: make([]byte, 0, 160+len(d.RedirectURI)+len(d.Challenge)+len(d.Nonce))}
	for _, f := range [...]struct{ name, value string }{{"redirect_uri", d.RedirectURI}, {"code_challenge", d.Challenge},
		{"code_challenge_method", d.ChallengeMethod}, {"nonce", d.Nonce}, {"jti", d.ID}, {"grant_type", d.GrantType}} {
		if f.value != "" {
			o.String(f.name, f.value)
		}
	}
	if d.RedirectURIGiven {
		o.Bool("redirect_uri_given", true)
	}
	for _, f := range [...]struct {
		name  string
		value int64
	}{{"auth_time", d.AuthTime}, {"consent", int64(d.Consent)}, {"family_end", d.FamilyEnd}, {"retry_until", d.RetryUntil}} {
		if f.value != 0 {
			o.Int(f.name, f.value)
		}
	}
	var errs [5]error
	if len(d.Claims) > 0 {
		errs[0] = o.Value("claims", d.Claims)
	}
	if len(d.Confirmation) > 0 {
		errs[1] = o.Value("cnf", d.Confirmation)
	}
	if len(d.Resource) > 0 {
		errs[2] = o.Value("resource", d.Resource)
	}
	if len(d.Details) > 0 {
		errs[3] = o.Value("authorization_details", d.Details)
	}
	if len(d.Retry) > 0 {
		errs[4] = o.Value("retry", d.Retry)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("grants: record data: %w", err)
	}
	return o.End(), nil
}

// empty tells whether Encode has nothing to write.
func (d *Data) empty() bool {
	return d.RedirectURI == "" && !d.RedirectURIGiven && d.Challenge == "" && d.ChallengeMethod == "" && d.Nonce == "" && d.ID == "" && d.GrantType == "" &&
		len(d.Claims) == 0 && len(d.Confirmation) == 0 && len(d.Resource) == 0 && len(d.Details) == 0 && d.AuthTime == 0 && d.Consent == 0 &&
		d.FamilyEnd == 0 && len(d.Retry) == 0 && d.RetryUntil == 0
}

// DecodeData reads a record's Data. An error means that the store holds something that Grantwell did not write.
func DecodeData(r storage.Record) (Data, error) {
	if len(r.Data) == 0 {
		return Data{}, nil
	}
	if d, ok := decodePlain(string(r.Data)); ok {
		return d, nil
	}
	var d Data
	if err := json.Unmarshal(r.Data, &d); err != nil {
		return d, fmt.Errorf("grants: %s record data: %w", r.Kind, err)
	}
	return d, nil
}

// decodePlain reads the form that nearly all data has, as Encode writes it: members that are ASCII strings without escapes, whole
// numbers and true, and no spaces. It reports false for everything else, which encoding/json then reads.
func decodePlain(s string) (d Data, ok bool) {
	s, ok = strings.CutPrefix(s, "{")
	for ok {
		var name, rest string
		if name, rest, ok = cutString(s); !ok || rest == "" || rest[0] != ':' {
			return d, false
		}
		if s, ok = d.plain(name, rest[1:]); !ok || s == "" {
			return d, false
		}
		if s == "}" {
			return d, true
		}
		s, ok = strings.CutPrefix(s, ",")
	}
	return d, false
}

// plain sets one member and returns what follows its value.
func (d *Data) plain(name, s string) (rest string, ok bool) {
	var into *string
	var number *int64
	switch name {
	case "redirect_uri":
		into = &d.RedirectURI
	case "code_challenge":
		into = &d.Challenge
	case "code_challenge_method":
		into = &d.ChallengeMethod
	case "nonce":
		into = &d.Nonce
	case "jti":
		into = &d.ID
	case "grant_type":
		into = &d.GrantType
	case "redirect_uri_given":
		d.RedirectURIGiven = true
		return strings.CutPrefix(s, "true")
	case "auth_time":
		number = &d.AuthTime
	case "family_end":
		number = &d.FamilyEnd
	case "retry_until":
		number = &d.RetryUntil
	default:
		return "", false
	}
	if into != nil {
		*into, rest, ok = cutString(s)
		return rest, ok
	}
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(s[:n], 10, 64)
	*number = v
	return s[n:], err == nil && s[0] != '0'
}

// cutString reads a JSON string that needs no decoding.
func cutString(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[1:i], s[i+1:], true
		case c < 0x20 || c > 0x7e || c == '\\':
			return "", "", false
		}
	}
	return "", "", false
}

func unix(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

// carry copies into a grant what a code or refresh token hands on.
func (d Data) carry(g *Grant) {
	g.Claims, g.Confirmation, g.Consent = d.Claims, d.Confirmation, d.Consent
	g.AuthTime, g.FamilyEnd = unix(d.AuthTime), unix(d.FamilyEnd)
}
