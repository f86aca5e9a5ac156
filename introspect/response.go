package introspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
)

// maxResponse bounds an introspection response, in bytes.
const maxResponse = 64 << 10

// registered are the members for which Token has fields (RFC 7662 section 2.2, RFC
// 7800 section 3.1).
var registered = map[string]bool{
	"active": true, "scope": true, "client_id": true, "username": true, "token_type": true,
	"exp": true, "iat": true, "nbf": true, "sub": true, "aud": true, "iss": true, "jti": true, "cnf": true,
	"auth_time": true,
}

// MarshalJSON writes the response of RFC 7662 section 2.2. A token that is not
// active is exactly {"active":false}.
//
// Members of Extra with the names active, scope, client_id, username, token_type,
// exp, iat, nbf, sub, aud, iss, jti, auth_time and cnf are left out, also if the field of that
// name is empty. So Extra cannot replace what the fields say.
func (t Token) MarshalJSON() ([]byte, error) {
	if !t.Active {
		return []byte(`{"active":false}`), nil
	}
	o := jsonenc.Object{Text: make([]byte, 0, 384)}
	o.Name("active")
	o.Text = append(o.Text, "true"...)
	switch len(t.Audience) {
	case 0:
	case 1:
		o.String("aud", t.Audience[0])
	default:
		o.Name("aud")
		o.Text = jsonenc.Strings(o.Text, t.Audience)
	}

	seconds(&o, "auth_time", t.AuthTime)
	text(&o, "client_id", t.ClientID)
	if len(t.Confirmation) > 0 {
		if err := o.Value("cnf", confirmationJSON(t.Confirmation)); err != nil {
			return nil, err
		}
	}
	seconds(&o, "exp", t.ExpiresAt)
	seconds(&o, "iat", t.IssuedAt)
	text(&o, "iss", t.Issuer)
	text(&o, "jti", t.ID)
	seconds(&o, "nbf", t.NotBefore)
	if len(t.Scope) > 0 {
		o.Joined("scope", t.Scope)
	}
	text(&o, "sub", t.Subject)
	text(&o, "token_type", t.TokenType)
	text(&o, "username", t.Username)

	for _, name := range slices.Sorted(maps.Keys(t.Extra)) {
		if !registered[name] {
			if err := o.Value(name, t.Extra[name]); err != nil {
				return nil, err
			}
		}
	}
	return o.End(), nil
}

// text writes a string that is not empty.
func text(o *jsonenc.Object, name, value string) {
	if value != "" {
		o.String(name, value)
	}
}

// seconds writes a time that is not zero.
func seconds(o *jsonenc.Object, name string, at time.Time) {
	if !at.IsZero() {
		o.Int(name, at.Unix())
	}
}

// confirmationJSON returns the members of cnf. The text of a member that was an
// object (jwk, jwe) becomes an object again.
func confirmationJSON(cnf map[string]string) map[string]any {
	out := make(map[string]any, len(cnf))
	for name, value := range cnf {
		if strings.HasPrefix(value, "{") && json.Valid([]byte(value)) {
			out[name] = json.RawMessage(value)
		} else {
			out[name] = value
		}
	}
	return out
}

// UnmarshalJSON is [ParseResponse].
func (t *Token) UnmarshalJSON(data []byte) error {
	parsed, err := ParseResponse(data)
	if err != nil {
		return err
	}
	*t = *parsed
	return nil
}

// ParseResponse reads a response of RFC 7662 section 2.2 of at most 64 KiB. It does
// not compare times with the clock.
//
// The response must be one JSON object without repeated members, nested at most 16
// deep. Its active must be a boolean, and its other registered members must have
// the types of the RFC: times are whole seconds from 1970 to 9999, aud is a string
// or a list of at least one string. If active is false, the Token has ReasonUnknown
// and the other members are not read.
func ParseResponse(data []byte) (*Token, error) {
	if len(data) > maxResponse {
		return nil, fmt.Errorf("introspect: response over %d bytes", maxResponse)
	}
	members, err := parseObject(data)
	if err != nil {
		return nil, fmt.Errorf("introspect: response: %w", err)
	}

	var active *bool
	if raw, ok := members["active"]; !ok || json.Unmarshal(raw, &active) != nil || active == nil {
		return nil, errors.New("introspect: response: active is not a boolean")
	}
	if !*active {
		return inactive(ReasonUnknown), nil
	}
	t, err := members.token()
	if err != nil {
		return nil, fmt.Errorf("introspect: response: %w", err)
	}
	t.Active = true
	return t, nil
}
