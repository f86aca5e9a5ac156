package introspect

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxToken = 16 << 10 // bytes of an access token
	maxForm  = 64 << 10 // bytes of a form body that is searched for one
)

// Lookup says where a request carries its token. The zero value reads "Authorization: Bearer" only.
// A token at two of the places that are on is 400 invalid_request (RFC 6750 section 2).
type Lookup struct {
	// Schemes are the authentication schemes under which the Authorization header holds a token;
	// none means Bearer. Letters compare without case. Another scheme in the header is not ours, and
	// the request counts as one without a token.
	Schemes []string
	// NoHeader leaves the Authorization header alone; another place must be on.
	NoHeader bool
	// FormField is the name of a field in an application/x-www-form-urlencoded body (RFC 6750 section
	// 2.2 names it access_token); empty: bodies are not read. Only POST, PUT and PATCH are looked at. At
	// most 64 KiB are read, a longer body is refused; the handler gets the body back whole (less the
	// field, unless the Guard keeps credentials), so its own ParseForm works. If an earlier
	// middleware has called ParseForm already, what that found is used.
	FormField string
	// QueryField is the name of a query parameter; empty: the query is not read. Leave it so: a token
	// in a URL ends in logs, histories and Referer headers, and OAuth 2.1 has removed it. When a
	// token came this way, the response says Cache-Control: private before the handler runs.
	QueryField string
	// Extract reads a token from anywhere else, as a cookie or a WebSocket subprotocol: "" when there
	// is none, an error to refuse the request as malformed. With a cookie, forged cross-site requests are
	// yours to prevent; and removing the credential is yours too.
	Extract func(*http.Request) (string, error)
}

// credential is a token and where it was.
type credential struct {
	token    string
	scheme   string // as in Schemes, when the header held it
	fromForm bool
	inQuery  bool
	body     []byte // the form as read, to give back
	read     bool   // the body was read
}

// malformed is a request that breaks RFC 6750 section 2; the text is for error_description.
type malformed string

func (m malformed) Error() string { return "introspect: " + string(m) }

const (
	errTwoTokens = malformed("The request carries more than one access token")
	errHeader    = malformed("The Authorization header is malformed")
	errToken     = malformed("The access token has characters or a size that are not allowed")
	errForm      = malformed("The form is malformed or too large")
	errQuery     = malformed("The query is malformed")
	errExtract   = malformed("The credentials are malformed")
)

func (l Lookup) schemes() []string {
	if len(l.Schemes) == 0 {
		return []string{"Bearer"}
	}
	return l.Schemes
}

// find returns the one token of r, or an empty one. It reads the form body at most once and replaces
// r.Body by what it has read.
func (l Lookup) find(r *http.Request) (credential, error) {
	var c credential
	var found []string
	if !l.NoHeader {
		token, scheme, err := l.fromHeader(r.Header.Values("Authorization"))
		if err != nil {
			return c, err
		}
		if c.scheme = scheme; token != "" {
			found = append(found, token)
		}
	}
	if l.FormField != "" {
		tokens, err := l.fromForm(r, &c)
		if err != nil {
			return c, err
		}
		c.fromForm = len(tokens) > 0
		found = append(found, tokens...)
	}
	if l.QueryField != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return c, errQuery
		}
		tokens := filled(query[l.QueryField])
		c.inQuery = len(tokens) > 0
		found = append(found, tokens...)
	}
	if l.Extract != nil {
		token, err := l.Extract(r)
		if err != nil {
			return c, errExtract
		}
		found = append(found, filled([]string{token})...)
	}
	switch {
	case len(found) == 0:
		return c, nil
	case len(found) > 1:
		return c, errTwoTokens
	case len(found[0]) > maxToken || !isToken68(found[0]):
		return c, errToken
	}
	c.token = found[0]
	return c, nil
}

// fromHeader applies RFC 6750 section 2.1 by the letter: scheme, exactly one space, b64token. Tabs,
// lists, parameters and a second header are refused, since two parsers could read them differently.
func (l Lookup) fromHeader(values []string) (token, scheme string, err error) {
	if len(values) > 1 {
		return "", "", errHeader
	}
	if len(values) == 0 || values[0] == "" {
		return "", "", nil
	}
	value := values[0]
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", "", errHeader
	}
	end := strings.IndexFunc(value, func(c rune) bool { return !isTokenChar(c) })
	if end < 0 {
		end = len(value)
	}
	at := slices.IndexFunc(l.schemes(), func(s string) bool { return strings.EqualFold(s, value[:end]) })
	if at < 0 {
		return "", "", nil
	}
	token, ok := strings.CutPrefix(value[end:], " ")
	if !ok || len(token) > maxToken || !isToken68(token) {
		return "", "", errHeader
	}
	return token, l.schemes()[at], nil
}

// fromForm reads the field from a form body and leaves r as it was.
func (l Lookup) fromForm(r *http.Request, c *credential) ([]string, error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return nil, nil
	}
	if r.PostForm != nil {
		return filled(r.PostForm[l.FormField]), nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > maxForm {
		return nil, errForm
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return nil, errForm
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errForm
	}
	c.body, c.read = body, true
	setBody(r, body)
	return filled(form[l.FormField]), nil
}

// setBody gives r a body that was read before; closing still closes the connection's.
func setBody(r *http.Request, body []byte) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
}

// strip returns r without its credentials, leaving r itself and its maps untouched.
func (l Lookup) strip(r *http.Request, c credential) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	if !l.NoHeader {
		r.Header.Del("Authorization")
	}
	if c.inQuery {
		u := *r.URL
		u.RawQuery = without(u.RawQuery, l.QueryField)
		r.URL, r.RequestURI = &u, u.RequestURI()
		r.Form = drop(r.Form, l.QueryField)
	}
	if c.fromForm {
		r.Form, r.PostForm = drop(r.Form, l.FormField), drop(r.PostForm, l.FormField)
		if c.read {
			body := []byte(without(string(c.body), l.FormField))
			setBody(r, body)
			r.ContentLength, r.TransferEncoding = int64(len(body)), nil
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	return r
}

// without removes the pairs of that name from an encoded form and keeps the others' bytes and order.
func without(encoded, name string) string {
	var kept []string
	for pair := range strings.SplitSeq(encoded, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(key); err == nil && plain == name {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

func drop(form url.Values, name string) url.Values {
	if form == nil {
		return nil
	}
	form = maps.Clone(form)
	delete(form, name)
	return form
}

// filled leaves out empty values: a parameter without a value counts as omitted (RFC 6749 section 3.1).
func filled(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}

// check finds mistakes in the setting.
func (l Lookup) check() error {
	var errs []error
	for _, scheme := range l.Schemes {
		if scheme == "" || strings.ContainsFunc(scheme, func(c rune) bool { return !isTokenChar(c) }) {
			errs = append(errs, errors.New("introspect: Guard.Lookup.Schemes: not a scheme name of RFC 9110 section 11.1"))
		}
	}
	if l.NoHeader && l.FormField == "" && l.QueryField == "" && l.Extract == nil {
		errs = append(errs, errors.New("introspect: Guard.Lookup: no place is on"))
	}
	return errors.Join(errs...)
}

// isTokenChar is tchar of RFC 9110 section 5.6.2.
func isTokenChar(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		c < 0x7f && strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// isToken68 is b64token of RFC 6750 section 2.1.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}
