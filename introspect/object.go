package introspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/strictjson"
)

const (
	maxDepth   = 16           // objects and arrays inside one another
	maxSeconds = 253402300799 // the last second of the year 9999
)

// object holds the members of a JSON object under their exact names. A struct and
// encoding/json would take "EXP" for "exp".
type object map[string]json.RawMessage

// parseObject reads exactly one object within the limits of this package.
func parseObject(data []byte) (object, error) {
	return strictjson.Members(data, strictjson.Limits{Depth: maxDepth})
}

// token reads the registered members into their fields, and the others into Extra.
// It does not set Active.
func (o object) token() (*Token, error) {
	t := &Token{}
	var err error
	for _, m := range [...]struct {
		name string
		into *string
	}{
		{"client_id", &t.ClientID},
		{"username", &t.Username},
		{"token_type", &t.TokenType},
		{"sub", &t.Subject},
		{"iss", &t.Issuer},
		{"jti", &t.ID},
	} {
		if *m.into, err = o.text(m.name); err != nil {
			return nil, err
		}
	}
	for _, m := range [...]struct {
		name string
		into *time.Time
	}{
		{"exp", &t.ExpiresAt},
		{"iat", &t.IssuedAt},
		{"nbf", &t.NotBefore},
	} {
		if *m.into, err = o.seconds(m.name); err != nil {
			return nil, err
		}
	}
	if t.Scope, err = o.scope(); err != nil {
		return nil, err
	}
	if t.Audience, err = o.audience(); err != nil {
		return nil, err
	}
	if t.AuthTime, err = o.seconds("auth_time"); err != nil {
		return nil, err
	}
	if t.Confirmation, err = o.confirmation(); err != nil {
		return nil, err
	}
	t.Extra, err = o.extra()
	return t, err
}

// extra reads the members that are not registered. Numbers keep their text, as
// [json.Number].
func (o object) extra() (map[string]any, error) {
	var extra map[string]any
	for name, raw := range o {
		if registered[name] {
			continue
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%q cannot be read", name)
		}
		if extra == nil {
			extra = make(map[string]any)
		}
		extra[name] = value
	}
	return extra, nil
}

// text reads a string. It is "" if the member is absent.
func (o object) text(name string) (string, error) {
	raw, ok := o[name]
	if !ok {
		return "", nil
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return *s, nil
}

// seconds reads whole seconds since 1970. It refuses fractions, exponents and times
// after 9999, which have overflowed in other implementations.
func (o object) seconds(name string) (time.Time, error) {
	raw, ok := o[name]
	if !ok {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 0 || n > maxSeconds {
		return time.Time{}, fmt.Errorf("%s is not a time in whole seconds", name)
	}
	return time.Unix(n, 0), nil
}

func (o object) scope() ([]string, error) {
	s, err := o.text("scope")
	if err != nil || s == "" {
		return nil, err
	}
	var scopes []string
	for one := range strings.SplitSeq(s, " ") {
		if one == "" {
			continue
		}
		if !isScopeToken(one) {
			return nil, errors.New("scope has a character that RFC 6749 section 3.3 does not allow")
		}
		scopes = append(scopes, one)
	}
	return scopes, nil
}

// audience reads a string or a list of strings. An empty list is refused, because
// it could be taken for no restriction.
func (o object) audience() ([]string, error) {
	raw, ok := o["aud"]
	if !ok {
		return nil, nil
	}
	if one, err := o.text("aud"); err == nil {
		if one == "" {
			return nil, errors.New("aud is empty")
		}
		return []string{one}, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, errors.New("aud is neither a string nor a list of strings")
	}
	out := make([]string, len(list))
	for i, one := range list {
		if one == nil || *one == "" {
			return nil, errors.New("aud has an element that is no string")
		}
		out[i] = *one
	}
	return out, nil
}

// confirmation reads cnf. A cnf without members is refused: a token whose binding
// cannot be read must not become a bearer token.
func (o object) confirmation() (map[string]string, error) {
	raw, ok := o["cnf"]
	if !ok {
		return nil, nil
	}
	var members object
	if json.Unmarshal(raw, &members) != nil || len(members) == 0 {
		return nil, errors.New("cnf is not an object with members")
	}
	out := make(map[string]string, len(members))
	for name, member := range members {
		if s, err := members.text(name); err == nil {
			out[name] = s
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, member); err != nil {
			return nil, errors.New("cnf cannot be read")
		}
		out[name] = compact.String()
	}
	return out, nil
}

// isScopeToken reports whether s is a scope-token of RFC 6749 section 3.3.
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}
