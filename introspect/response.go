package introspect

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// maxResponse bounds an introspection response, in bytes.
const maxResponse = 64 << 10

// registered are the members that Token has fields for (RFC 7662 section 2.2, RFC 7800 section 3.1).
var registered = map[string]bool{
	"active": true, "scope": true, "client_id": true, "username": true, "token_type": true,
	"exp": true, "iat": true, "nbf": true, "sub": true, "aud": true, "iss": true, "jti": true, "cnf": true,
}

// MarshalJSON writes the response of RFC 7662 section 2.2. A token that is not active is exactly
// {"active":false}. Members of Extra named active, scope, client_id, username, token_type, exp, iat,
// nbf, sub, aud, iss, jti or cnf are left out, also where the field of that name is empty: what is
// further cannot replace what was decided.
func (t Token) MarshalJSON() ([]byte, error) {
	if !t.Active {
		return []byte(`{"active":false}`), nil
	}
	out := make(map[string]any, len(t.Extra)+12)
	for name, value := range t.Extra {
		if !registered[name] {
			out[name] = value
		}
	}
	out["active"] = true
	for name, value := range map[string]string{
		"scope": strings.Join(t.Scope, " "), "client_id": t.ClientID, "username": t.Username,
		"token_type": t.TokenType, "sub": t.Subject, "iss": t.Issuer, "jti": t.ID,
	} {
		if value != "" {
			out[name] = value
		}
	}
	for name, at := range map[string]time.Time{"exp": t.ExpiresAt, "iat": t.IssuedAt, "nbf": t.NotBefore} {
		if !at.IsZero() {
			out[name] = at.Unix()
		}
	}
	switch len(t.Audience) {
	case 0:
	case 1:
		out["aud"] = t.Audience[0]
	default:
		out["aud"] = t.Audience
	}
	if len(t.Confirmation) > 0 {
		out["cnf"] = confirmationJSON(t.Confirmation)
	}
	return json.Marshal(out)
}

// confirmationJSON turns the text of a member that was an object (jwk, jwe) back into one.
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

// ParseResponse reads a response of RFC 7662 section 2.2 of at most 64 KiB. It fails on anything that
// is not one JSON object without repeated members, nested at most 16 deep, whose active is a boolean
// and whose other registered members have the types of the RFC: times are whole seconds from 1970 to
// 9999, aud is a string or a list of at least one string. A response that says false gives a Token with
// ReasonUnknown, whatever else it holds. It looks at no clock.
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
		return nil, fmt.Errorf("introspect: response: active is not a boolean")
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
