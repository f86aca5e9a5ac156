package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
	"github.com/grantwell/grantwell/internal/base/strictjson"
)

const (
	maxTime    = 253402300799 // the last second of the year 9999
	maxDepth   = 16           // objects and arrays inside one another
	maxMembers = 256          // members of one object, or elements of one array
)

// claimLimits bound the claims of a token, whose size the caller has bounded.
var claimLimits = strictjson.Limits{Depth: maxDepth, Members: maxMembers}

// registered are the claims that have a field in [Claims]. Extra must not set them.
var registered = []string{
	"iss", "sub", "aud", "client_id", "jti", "scope",
	"iat", "nbf", "exp", "auth_time", "cnf",
}

// isRegistered reports whether a claim has a field. It ignores case, because the
// JSON decoders of many resource servers do: to them "ISS" after "iss" is a new
// value of iss.
func isRegistered(name string) bool {
	return slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(name, r) })
}

// encodeClaims returns the claims as JSON in the order of RFC 9068 section 2.2.
// decodeClaims accepts whatever it returns.
func encodeClaims(c Claims) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	o := jsonenc.Object{Text: make([]byte, 0, 512)}
	o.String("iss", c.Issuer)
	o.String("sub", c.Subject)
	if len(c.Audience) == 1 {
		// One audience is written as a string, as in RFC 9068 section 3.
		o.String("aud", c.Audience[0])
	} else {
		o.Name("aud")
		o.Text = jsonenc.Strings(o.Text, c.Audience)
	}
	o.String("client_id", c.ClientID)
	o.String("jti", c.ID)
	if len(c.Scope) > 0 {
		o.Joined("scope", c.Scope)
	}
	for _, f := range c.times() {
		if !f.at.IsZero() {
			o.Int(f.name, f.at.Unix())
		}
	}
	if len(c.Confirmation) > 0 {
		if err := o.Value("cnf", c.Confirmation); err != nil {
			return nil, fmt.Errorf("tokens: claims without a JSON form: %w", err)
		}
	}
	if len(c.Extra) == 0 {
		return o.End(), nil
	}
	return appendExtra(o.End(), c.Extra)
}

// appendExtra appends further claims to an object that has some.
func appendExtra(object []byte, extra map[string]any) ([]byte, error) {
	members, err := json.Marshal(extra)
	if err != nil {
		return nil, fmt.Errorf("tokens: Claims.Extra has no JSON form: %w", err)
	}
	object = append(object[:len(object)-1], ',')
	object = append(object, members[1:]...)

	// A value with its own MarshalJSON can write a name twice, or nest deep.
	if err := strictjson.Check(object, claimLimits); err != nil {
		return nil, fmt.Errorf("tokens: Claims.Extra: %w", err)
	}
	return object, nil
}

// claimTime is a claim whose value is a time.
type claimTime struct {
	name     string
	at       time.Time
	required bool
}

// times returns the claims that are times, in the order in which they are
// written.
func (c Claims) times() [4]claimTime {
	return [4]claimTime{
		{"iat", c.IssuedAt, true},
		{"nbf", c.NotBefore, false},
		{"exp", c.ExpiresAt, true},
		{"auth_time", c.AuthTime, false},
	}
}

// decodeClaims reads claims that encodeClaims wrote. It refuses everything else.
func decodeClaims(data []byte) (Claims, error) {
	members, err := strictjson.Object(data, claimLimits)
	if err != nil {
		return Claims{}, err
	}
	r := reader{members: members}
	c := Claims{
		Issuer:       r.text("iss"),
		Subject:      r.text("sub"),
		ClientID:     r.text("client_id"),
		ID:           r.text("jti"),
		Audience:     r.audience(),
		Scope:        r.scope(),
		IssuedAt:     r.time("iat"),
		NotBefore:    r.time("nbf"),
		ExpiresAt:    r.time("exp"),
		AuthTime:     r.time("auth_time"),
		Confirmation: r.confirmation(),
	}
	if r.err != nil {
		return Claims{}, r.err
	}

	// The reader has removed the claims that it knows. The others are further
	// claims.
	for name := range members {
		if isRegistered(name) {
			return Claims{}, errors.New("a claim whose name differs from a registered one only in case")
		}
	}
	if len(members) > 0 {
		c.Extra = members
	}
	return c, c.check()
}

// check returns an error if a claim is missing or not valid. It applies to claims
// that are written and to claims that were read.
func (c Claims) check() error {
	for _, f := range [...]struct{ name, value string }{
		{"iss", c.Issuer},
		{"sub", c.Subject},
		{"client_id", c.ClientID},
		{"jti", c.ID},
	} {
		if !validText(f.value) {
			return fmt.Errorf("tokens: claim %s is missing or not valid UTF-8", f.name)
		}
	}
	if err := c.checkLists(); err != nil {
		return err
	}
	for name := range c.Extra {
		if isRegistered(name) || !validText(name) {
			return fmt.Errorf("tokens: Claims.Extra must not contain %q", name)
		}
	}
	return c.checkTimes()
}

// checkLists checks aud, scope and cnf.
func (c Claims) checkLists() error {
	if len(c.Audience) == 0 || len(c.Audience) > maxMembers {
		return fmt.Errorf("tokens: claim aud has %d values; 1 to %d are allowed", len(c.Audience), maxMembers)
	}
	for _, a := range c.Audience {
		if !validText(a) {
			return errors.New("tokens: claim aud has a value that is empty or not valid UTF-8")
		}
	}
	for _, s := range c.Scope {
		if !validScope(s) {
			return errors.New("tokens: claim scope has a value that is no scope-token (RFC 6749 section 3.3)")
		}
	}
	for name, v := range c.Confirmation {
		if !validText(name) || !validText(v) {
			return errors.New("tokens: claim cnf has a member that is empty or not valid UTF-8")
		}
	}
	return nil
}

func (c Claims) checkTimes() error {
	for _, f := range c.times() {
		if f.at.IsZero() && !f.required {
			continue
		}
		if u := f.at.Unix(); u <= 0 || u > maxTime {
			return fmt.Errorf("tokens: claim %s is missing or not between 1970 and 9999", f.name)
		}
	}
	if c.ExpiresAt.Unix() <= c.IssuedAt.Unix() {
		return errors.New("tokens: claim exp is not after iat")
	}
	return nil
}

func validText(s string) bool { return s != "" && utf8.ValidString(s) }

// validScope reports whether s is a scope-token: 1*( %x21 / %x23-5B / %x5D-7E ).
func validScope(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != ""
}

// reader takes claims out of an object. It keeps the first error.
type reader struct {
	members map[string]any
	err     error
}

// take removes a claim, and reports whether it was there. A claim that is null was
// there; it has the wrong type.
func (r *reader) take(name string) (any, bool) {
	v, ok := r.members[name]
	delete(r.members, name)
	return v, ok
}

// wrong notes that a claim is missing or of the wrong type.
func (r *reader) wrong(name string) {
	if r.err == nil {
		r.err = errors.New("claim " + name + " is missing or of the wrong type")
	}
}

func (r *reader) text(name string) string {
	v, _ := r.take(name)
	s, ok := v.(string)
	if !ok {
		r.wrong(name)
	}
	return s
}

func (r *reader) audience() []string {
	v, _ := r.take("aud")
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				break
			}
			out = append(out, s)
		}
		if len(out) == len(v) {
			return out
		}
	}
	r.wrong("aud")
	return nil
}

func (r *reader) scope() []string {
	v, ok := r.take("scope")
	if !ok {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		r.wrong("scope")
		return nil
	}
	// The size of a token bounds the number of scopes. check refuses an empty
	// one.
	return strings.Split(s, " ")
}

// time accepts whole seconds in plain digits, which is the form that this package
// writes. A fraction, an exponent or a sign is refused and not rounded. A time that is
// absent is zero: [Claims.check] knows which ones are required.
func (r *reader) time(name string) time.Time {
	v, ok := r.take(name)
	if !ok {
		return time.Time{}
	}
	n, ok := v.(json.Number)
	u, err := strconv.ParseInt(string(n), 10, 64)
	if !ok || err != nil || u <= 0 || u > maxTime {
		r.wrong(name)
		return time.Time{}
	}
	return time.Unix(u, 0).UTC()
}

func (r *reader) confirmation() map[string]string {
	v, ok := r.take("cnf")
	if !ok {
		return nil
	}
	members, ok := v.(map[string]any)
	if !ok || len(members) == 0 {
		r.wrong("cnf")
		return nil
	}
	out := make(map[string]string, len(members))
	for name, e := range members {
		s, ok := e.(string)
		if !ok {
			r.wrong("cnf")
			return nil
		}
		out[name] = s
	}
	return out
}
