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

// Lookup says where a request has its token. The zero value reads "Authorization:
// Bearer" only. A token at two of the places that are read is 400 invalid_request
// (RFC 6750 section 2).
type Lookup struct {
	// Schemes are the authentication schemes under which the Authorization
	// header has a token, compared without regard to case. Empty means Bearer.
	// A request with another scheme counts as one without a token.
	Schemes []string
	// NoHeader does not read the Authorization header. Another place must be
	// read then.
	NoHeader bool
	// FormField is the name of a field in an application/x-www-form-urlencoded
	// body (access_token in RFC 6750 section 2.2). Empty: bodies are not read.
	// Only those of POST, PUT and PATCH are, and at most 64 KiB of them; a
	// longer body is refused. The handler gets the whole body back, so that
	// its own ParseForm works, but without the field unless the Guard keeps
	// credentials. If an earlier middleware has called ParseForm, its result
	// is used.
	FormField string
	// QueryField is the name of a query parameter. Empty, which is
	// recommended: the query is not read. A token in a URL is copied to logs,
	// histories and Referer headers, and OAuth 2.1 does not allow it. If the
	// token was in the query, Cache-Control: private is set before the handler
	// runs.
	QueryField string
	// Extract reads a token from another place, for example a cookie or a
	// WebSocket subprotocol. It returns "" if there is none, and an error to
	// refuse the request as malformed. The host must then prevent cross-site
	// request forgery, and remove the credential itself.
	Extract func(*http.Request) (string, error)
}

// credential is a token and the place where it was.
type credential struct {
	token    string
	scheme   string // as in Schemes, if the header had it
	fromForm bool
	inQuery  bool
	body     []byte // the form that was read
	read     bool   // the body was read
}

// malformed is the error for a request that breaks RFC 6750 section 2. The text is
// sent as error_description.
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

// find returns the one token of r, or an empty one. It reads the form body at most
// once, and then replaces r.Body by what it has read.
func (l Lookup) find(r *http.Request) (credential, error) {
	var c credential
	var found []string
	// Every place is read, so that two tokens are noticed.
	for _, place := range [...]func(*http.Request, *credential) ([]string, error){
		l.inHeader,
		l.inForm,
		l.inQuery,
		l.extracted,
	} {
		tokens, err := place(r, &c)
		if err != nil {
			return c, err
		}
		found = append(found, tokens...)
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

// inHeader returns the token of the Authorization header.
func (l Lookup) inHeader(r *http.Request, c *credential) ([]string, error) {
	if l.NoHeader {
		return nil, nil
	}
	token, scheme, err := l.fromHeader(r.Header.Values("Authorization"))
	if err != nil {
		return nil, err
	}
	c.scheme = scheme
	return filled([]string{token}), nil
}

// inQuery returns the tokens of the query.
func (l Lookup) inQuery(r *http.Request, c *credential) ([]string, error) {
	if l.QueryField == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errQuery
	}
	tokens := filled(query[l.QueryField])
	c.inQuery = len(tokens) > 0
	return tokens, nil
}

// extracted returns the token that the host's function found.
func (l Lookup) extracted(r *http.Request, _ *credential) ([]string, error) {
	if l.Extract == nil {
		return nil, nil
	}
	token, err := l.Extract(r)
	if err != nil {
		return nil, errExtract
	}
	return filled([]string{token}), nil
}

// fromHeader reads the exact form of RFC 6750 section 2.1: a scheme, one space, a
// b64token. It refuses tabs, lists, parameters and a second header, because two
// parsers could read them differently.
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

// inForm returns the tokens of a form body. The body can be read again afterwards.
func (l Lookup) inForm(r *http.Request, c *credential) ([]string, error) {
	if l.FormField == "" || !hasForm(r.Method) {
		return nil, nil
	}
	if r.PostForm != nil {
		tokens := filled(r.PostForm[l.FormField])
		c.fromForm = len(tokens) > 0
		return tokens, nil
	}

	if !l.readsBody(r) {
		return nil, nil // a body of another type carries no token here
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
	c.body = body
	c.read = true
	setBody(r, body)
	tokens := filled(form[l.FormField])
	c.fromForm = len(tokens) > 0
	return tokens, nil
}

// readsBody reports whether a token may stand in a form that has not been read yet.
func (l Lookup) readsBody(r *http.Request) bool {
	if l.FormField == "" || !hasForm(r.Method) || r.PostForm != nil || r.Body == nil {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))

	return err == nil && kind == "application/x-www-form-urlencoded"
}

// hasForm reports whether requests of a method may carry a form.
func hasForm(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// setBody gives r a body that was read before. Close still closes the original
// one.
func setBody(r *http.Request, body []byte) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
}

// strip returns a copy of r without its credentials. It does not change r or its
// maps.
func (l Lookup) strip(r *http.Request, c credential) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	if !l.NoHeader {
		r.Header.Del("Authorization")
	}
	if c.inQuery {
		u := *r.URL
		u.RawQuery = without(u.RawQuery, l.QueryField)
		r.URL = &u
		r.RequestURI = u.RequestURI()
		r.Form = drop(r.Form, l.QueryField)
	}
	if c.fromForm {
		r.Form = drop(r.Form, l.FormField)
		r.PostForm = drop(r.PostForm, l.FormField)
		if c.read {
			body := []byte(without(string(c.body), l.FormField))
			setBody(r, body)
			r.ContentLength = int64(len(body))
			r.TransferEncoding = nil
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	return r
}

// without removes the pairs of a name from an encoded form. The bytes and the order
// of the others do not change.
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

// drop returns a copy of a form without the values of a name.
func drop(form url.Values, name string) url.Values {
	if form == nil {
		return nil
	}
	form = maps.Clone(form)
	delete(form, name)
	return form
}

// filled returns the values that are not empty. A parameter without a value counts
// as omitted (RFC 6749 section 3.1).
func filled(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}

// check returns the mistakes in the configuration.
func (l Lookup) check() error {
	var errs []error
	for _, scheme := range l.Schemes {
		if scheme == "" || strings.ContainsFunc(scheme, func(c rune) bool { return !isTokenChar(c) }) {
			errs = append(errs,
				errors.New("introspect: Guard.Lookup.Schemes: not a scheme name of RFC 9110 section 11.1"))
		}
	}
	if l.NoHeader && l.FormField == "" && l.QueryField == "" && l.Extract == nil {
		errs = append(errs, errors.New("introspect: Guard.Lookup: no place is read"))
	}
	return errors.Join(errs...)
}

// isTokenChar reports whether c is a tchar of RFC 9110 section 5.6.2.
func isTokenChar(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		c < 0x7f && strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// isToken68 reports whether s is a b64token of RFC 6750 section 2.1.
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
