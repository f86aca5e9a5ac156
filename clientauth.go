package grantwell

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/storage"
)

// ClientAuthenticator is a way of authenticating clients besides a shared secret: an assertion, a certificate.
type ClientAuthenticator interface {
	// Methods are the values of token_endpoint_auth_method that it verifies.
	Methods() []string
	// Presented tells whether the request carries credentials of this kind, and the client that they name ("" if
	// client_id does). It verifies nothing.
	Presented(r *http.Request, form url.Values) (clientID string, ok bool)
	// Verify checks the credentials for the client that they name, which is registered for one of Methods.
	// A *[grants.Error] or any other error is a failed authentication; [grants.Unavailable] one that could not be decided.
	Verify(ctx context.Context, r *http.Request, form url.Values, c storage.Client) error
}

var strictBase64 = base64.StdEncoding.Strict()

var errBasic = errors.New("grantwell: malformed Basic credentials")

// errNoCredentials: the request names no client at all, or a confidential one without proof.
var errNoCredentials = errors.New("grantwell: no client credentials")

// authenticate finds out which client sent the request, by the one method that it is registered for (RFC 6749 section 2.3).
func (c *call) authenticate(ctx context.Context) error {
	id, secret, method, verifier, err := c.presented()
	if err != nil {
		return err
	}
	if id == "" {
		return grants.InvalidClient("%w", errNoCredentials)
	}
	client, err := c.s.known.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return c.failed(ctx, id, secret, storage.Client{}, "unknown client")
	case err != nil:
		return grants.Unavailable(err)
	case client.Disabled:
		return c.failed(ctx, id, secret, client, "client is disabled")
	}
	c.req.Client, c.event.ClientID = client, client.ID
	c.cors()
	want := client.Method()
	if !slices.Contains(c.s.cfg.AuthMethods, want) {
		return c.failed(ctx, id, secret, client, "the client's method is not enabled")
	}
	if verifier != nil {
		if !slices.Contains(verifier.Methods(), want) {
			return c.failed(ctx, id, secret, client, "not the registered method")
		}
		if err := verifier.Verify(ctx, c.r, c.req.Form, client.Clone()); err != nil {
			if e := protocol(err); e.Status >= 500 && e.Code != "server_error" {
				return err
			}
			return c.failed(ctx, id, secret, client, err.Error())
		}
		c.req.Authenticated = true
		return nil
	}
	if method != want && !(c.s.cfg.Compat.AnySecretPlace && bySecret(method) && bySecret(want)) {
		return c.failed(ctx, id, secret, client, "not the registered method")
	}
	if method == storage.AuthNone {
		return nil
	}
	ok, err := c.secretHolds(ctx, &c.req.Client, secret)
	if err != nil {
		return err
	}
	if !ok {
		return c.failed(ctx, id, secret, client, "wrong secret")
	}
	c.req.Authenticated = true
	return nil
}

// bySecret tells whether a method sends the plain secret.
func bySecret(method string) bool {
	return method == storage.AuthClientSecretBasic || method == storage.AuthClientSecretPost
}

// presented reads which credentials the request carries. More than one kind is refused (RFC 6749 section 2.3).
func (c *call) presented() (id, secret, method string, verifier ClientAuthenticator, err error) {
	count := 0
	method = storage.AuthNone
	named := c.req.Form.Get("client_id")
	id = named
	if h := c.r.Header["Authorization"]; len(h) > 0 {
		if len(h) > 1 {
			return "", "", "", nil, grants.InvalidRequest("More than one Authorization header was sent.")
		}
		if id, secret, err = parseBasic(h[0]); err != nil {
			return "", "", "", nil, grants.InvalidClient("%w", err)
		}
		method = storage.AuthClientSecretBasic
		count++
	}
	if s := c.req.Form.Get("client_secret"); s != "" {
		secret, method = s, storage.AuthClientSecretPost
		count++
	}
	for _, a := range c.s.cfg.ClientAuth {
		if by, ok := a.Presented(c.r, c.req.Form); ok {
			verifier = a
			if by != "" {
				id = by
			}
			count++
		}
	}
	if verifier == nil && (c.req.Form.Get("client_assertion") != "" || c.req.Form.Get("client_assertion_type") != "") {
		return "", "", "", nil, grants.InvalidClient("client_assertion of a type that is not enabled")
	}
	if count > 1 {
		return "", "", "", nil, grants.InvalidRequest("More than one method of client authentication was used.")
	}
	if named != "" && id != named {
		return "", "", "", nil, grants.InvalidRequest("client_id names another client than the credentials.")
	}
	return id, secret, method, verifier, nil
}

// parseBasic reads the header as RFC 7617 and RFC 6749 section 2.3.1 say: base64 of two form-urlencoded strings.
func parseBasic(h string) (id, secret string, err error) {
	scheme, payload, ok := strings.Cut(h, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") || len(payload) > 8<<10 || strings.IndexByte(payload, '\r') >= 0 || strings.IndexByte(payload, '\n') >= 0 { // which base64 skips
		return "", "", errBasic
	}
	var in, out [256]byte // room for usual credentials: longer ones cost an allocation each
	raw, err := strictBase64.AppendDecode(out[:0], append(in[:0], payload...))
	if err != nil {
		return "", "", errBasic
	}
	user, pass, ok := strings.Cut(string(raw), ":")
	if !ok {
		return "", "", errBasic
	}
	if id, err = form.Unescape(user); err != nil {
		return "", "", errBasic
	}
	if secret, err = form.Unescape(pass); err != nil || id == "" {
		return "", "", errBasic
	}
	return id, secret, nil
}

// failed is every failed authentication: the same work, the same answer, and a count against the limit if a secret was tried.
func (c *call) failed(ctx context.Context, id, secret string, client storage.Client, why string) error {
	c.req.Authenticated = false
	refusal := grants.InvalidClient("grantwell: %s", why)
	if secret == "" || c.compared {
		return refusal
	}
	c.s.slow.pay(ctx, secret)
	done, wait, err := c.s.cfg.Limiter.Attempt(ctx, c.guessKey(id))
	switch {
	case err != nil:
		return grants.Unavailable(err)
	case wait > 0:
		return tooManyGuesses(wait)
	}
	done(false)
	return refusal
}

func tooManyGuesses(wait time.Duration) error {
	return &grants.Error{Code: "invalid_client", Description: "Too many failed tries. Wait before the next one.", Status: http.StatusTooManyRequests, RetryAfter: wait}
}

// guessKey counts by client and address, so that nobody locks a client out from elsewhere.
func (c *call) guessKey(id string) string {
	kind := "client:"
	if c.s.cfg.LimitClass != nil {
		if class := c.s.cfg.LimitClass(id); class != "" {
			kind = "client/" + class + ":"
		}
	}
	return kind + storage.JoinKey(id, grants.Neighbourhood(c.s.RemoteAddr(c.r)))
}
