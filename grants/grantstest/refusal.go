package grantstest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

var (
	// Section 5.2 of RFC 6749 allows these characters in an error and its description.
	plainText = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)
	// A reason is a metric's label.
	label = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)
)

// refuses lets the handler decide on a request that it must refuse: with an error that
// a client may see, and without spending anything.
func (p *probe) refuses(r *grants.Request, what string) {
	p.Helper()
	before := p.spent()
	_, err := p.handle(r)
	require.Error(p, err, "%s was granted", what)
	p.callersFault(err, what)
	require.Equal(p, before, p.spent(), "%s was refused and spent something", what)
}

// callersFault holds that an error is one of the caller, and fit to be sent.
func (p *probe) callersFault(err error, what string) {
	p.Helper()
	var e *grants.Error
	require.True(p, errors.As(err, &e), "%s was refused with %T, which is answered with server_error: %v", what, err, err)
	require.NotEmpty(p, e.Code, "%s was refused without a code", what)
	require.Less(p, grants.ErrorOf(err).Status, http.StatusInternalServerError, "%s is no fault of the server: %v", what, err)
	require.Regexp(p, plainText, e.Code, "the code")
	if e.Description != "" {
		require.Regexp(p, plainText, e.Description, "the description of %s", what)
	}
	require.NotContains(p, e.Description, mark, "the description repeats the request")
	if e.Reason != "" {
		require.Regexp(p, label, string(e.Reason), "the reason is a label: stable, short, lower case")
	}
}

// empty holds that a request without parameters is refused.
func empty(p *probe) {
	r := p.good()
	r.Form = url.Values{"grant_type": {p.h.GrantType()}}
	r.Scope = nil
	p.refuses(r, "a request without parameters")
}

// mark is a part of each senseless value, so that a text that repeats it is found.
const mark = "zqx"

// garbageValues are values that no grant can mean. The server's reader lets them pass:
// they are valid UTF-8 without NUL.
var garbageValues = []string{
	mark,
	mark + "\t\r\n\x01\x7f\"\\",
	mark + "ü💚\u2028",
	"../../" + mark + "%00%zz",
	"{" + mark + "}.{}.",
	"e30." + mark + ".e30",
	"<" + mark + "/>",
	mark + strings.Repeat("A", 60<<10),
	" " + mark + " ",
	"-1" + mark,
}

// garbled returns the request with one value for all of its parameters.
func garbled(r *grants.Request, value string) *grants.Request {
	for name := range r.Form {
		if name != "grant_type" && name != "scope" {
			r.Form[name] = []string{value}
		}
	}

	return r
}

// garbage holds that senseless parameters are the caller's fault: all of them at once
// are refused; one alone may also be ignored.
func garbage(p *probe) {
	for _, value := range garbageValues {
		if !p.Formless {
			p.refuses(garbled(p.good(), value), "a request of senseless parameters")
		}
		for name := range p.good().Form {
			r := p.good()
			r.Form[name] = []string{value}
			before := p.spent()
			if _, err := p.handle(r); err != nil {
				p.callersFault(err, "a senseless "+name)
				require.Equal(p, before, p.spent(), "a senseless %s was refused and spent something", name)
			}
		}
	}
}

// bad holds that the requests of the host are refused.
func bad(p *probe) {
	for name, change := range p.Bad {
		r := p.good()
		change(p, p.h, r)
		p.refuses(r, name)
	}
}

// storeText is in the error of a store that fails.
const storeText = "connection to 10.0.0.7 refused"

// broken are records that fail.
type broken struct{}

func (broken) err() error { return errors.New(storeText) }

// Insert implements [storage.Records].
func (b broken) Insert(context.Context, ...storage.Record) error { return b.err() }

// Get implements [storage.Records].
func (b broken) Get(context.Context, storage.Kind, string) (storage.Record, error) {
	return storage.Record{}, b.err()
}

// Advance implements [storage.Records].
func (b broken) Advance(context.Context, storage.State, storage.Record, ...storage.Record) error {
	return b.err()
}

// Revoke implements [storage.Records].
func (b broken) Revoke(context.Context, string, ...storage.Kind) error { return b.err() }

// storeFails holds that a handler which needs the server's store does not call a good
// request wrong because the store fails. A client would throw its code away.
func storeFails(p *probe) {
	r := p.good()
	r.Records = broken{}
	before := p.spent()
	if _, err := p.handle(r); err != nil {
		e := grants.ErrorOf(err)
		require.GreaterOrEqual(p, e.Status, http.StatusInternalServerError, "a failure of the store is not the caller's fault: %v", err)
		require.NotContains(p, e.Description, storeText, "the store's error is for the operator")
	}
	require.Equal(p, before, p.spent(), "the store failed, and something was spent")
}

// powers holds that further interfaces of package grants are implemented soundly.
func powers(p *probe) {
	if h, ok := p.h.(grants.Responder); ok {
		assert.Contains(p, []string{"code", "token"}, h.ResponseType(), "the response type")
	}
	if h, ok := p.h.(grants.Wrapper); ok {
		assert.NotNil(p, h.Unwrap(), "the inner grant")
	}
	if h, ok := p.h.(grants.PKCE); ok {
		challenges(p, h)
	}
	if h, ok := p.h.(grants.Identifier); ok {
		for _, value := range garbageValues {
			if _, err := h.Identify(p.Context(), garbled(p.good(), value)); err != nil {
				p.callersFault(err, "a senseless request without credentials")
			}
		}
		_, err := h.Identify(p.Context(), Request(p, nil))
		require.Error(p, err, "an empty request names no client")
		p.callersFault(err, "an empty request without credentials")
	}
}

// challenges holds the rules of RFC 7636 that no setting changes.
func challenges(p *probe, h grants.PKCE) {
	client := Client()
	methods := h.ChallengeMethods()
	assert.Contains(p, methods, "S256", "RFC 7636 section 4.2")
	for _, method := range []string{"S256", "plain", "S512", "s256"} {
		got, err := h.CheckChallenge(&client, strings.Repeat("a", 43), method, true)
		if !slices.Contains(methods, method) {
			require.Error(p, err, "the method %s is not listed, and is accepted", method)
			p.callersFault(err, "an unknown method")
			continue
		}
		require.NoError(p, err)
		assert.Equal(p, method, got, "the method that applies")
	}
	for _, bad := range []string{strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("+", 43)} {
		_, err := h.CheckChallenge(&client, bad, "S256", true)
		require.Error(p, err, "the challenge %q is malformed (RFC 7636 section 4.2)", bad)
		p.callersFault(err, "a malformed challenge")
	}
}
