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

// maxDepth bounds the nesting of any JSON that is read, and maxSeconds is the last second of 9999.
const (
	maxDepth   = 16
	maxSeconds = 253402300799
)

// object holds the members of a JSON object under their exact names: encoding/json, left to itself,
// would take "EXP" for "exp" and the last of two members for the only one.
type object map[string]json.RawMessage

// parseObject reads exactly one object within the limits of this package.
func parseObject(data []byte) (object, error) {
	return strictjson.Members(data, strictjson.Limits{Depth: maxDepth})
}

// token reads the registered members, and the rest into Extra. Active is left to the caller.
func (o object) token() (*Token, error) {
	t := &Token{}
	for name, into := range map[string]*string{
		"client_id": &t.ClientID, "username": &t.Username, "token_type": &t.TokenType,
		"sub": &t.Subject, "iss": &t.Issuer, "jti": &t.ID,
	} {
		var err error
		if *into, err = o.text(name); err != nil {
			return nil, err
		}
	}
	for name, into := range map[string]*time.Time{"exp": &t.ExpiresAt, "iat": &t.IssuedAt, "nbf": &t.NotBefore} {
		var err error
		if *into, err = o.seconds(name); err != nil {
			return nil, err
		}
	}
	var err error
	if t.Scope, err = o.scope(); err != nil {
		return nil, err
	}
	if t.Audience, err = o.audience(); err != nil {
		return nil, err
	}
	if t.Confirmation, err = o.confirmation(); err != nil {
		return nil, err
	}
	for name, raw := range o {
		if registered[name] {
			continue
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // a number keeps its digits
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%q cannot be read", name)
		}
		if t.Extra == nil {
			t.Extra = make(map[string]any)
		}
		t.Extra[name] = value
	}
	return t, nil
}

// text reads a string; "" when the member is absent.
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

// seconds reads whole seconds since 1970. Fractions, exponents and times beyond 9999 are refused
// rather than rounded: they have overflowed in others' hands.
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

// audience reads a string or a list. An empty list is refused: it must not pass for "no restriction".
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

// confirmation reads cnf. One without members is refused: a token whose binding cannot be read must
// not become a bearer token.
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
