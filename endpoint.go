package grantwell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
)

// maxToken bounds a token that is sent to us, in bytes.
const maxToken = 16 << 10

// call is one request to a back-channel endpoint.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	format string // "json", "urlencoded" or "xml"
	event  Event
	// req is what is known of the request. Grants see it; the other endpoints use the form, the client and the time.
	req grants.Request
	ctx deadline

	compared bool // its secret went through a slow hash, and the limiter counted that
	hosted   bool // the host authenticates the caller, in a way that it alone can name
}

// endpoint wraps what all back-channel endpoints have in common: method, bounds, parsing, deadline, panics, errors
// and the event.
func (s *Server) endpoint(name string, get bool, handle func(ctx context.Context, c *call) error) http.Handler {
	run := func(ctx context.Context, c *call) error { return c.run(ctx, get, handle) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(name, w, r, run) })
}

// serve does what every request with a machine's answer needs: deadline, headers, panics, errors and the event.
func (s *Server) serve(name string, w http.ResponseWriter, r *http.Request, run func(ctx context.Context, c *call) error) {
	now := time.Now().UTC()
	c := &call{s: s, w: w, r: r, format: "json", event: Event{Time: now, Endpoint: name, Status: http.StatusOK}}
	c.req.Now, c.ctx.Context, c.ctx.at = now, r.Context(), now.Add(s.cfg.Timeout)
	ctx := &c.ctx
	defer ctx.end()
	h := w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	if name == "token" {
		h["Pragma"] = noCache // RFC 6749 section 5.1
	}
	err := c.guarded(ctx, run)
	if err != nil {
		e := protocol(err)
		if e.Status == http.StatusInternalServerError && ctx.Err() != nil {
			e = protocol(grants.Unavailable(fmt.Errorf("grantwell: deadline: %w", err)))
		}
		c.event.fail(e)
		c.writeError(e)
	}
	s.emit(ctx, r, c.event)
}

var (
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
	noSniff = []string{"nosniff"}
)

// guarded turns a panic into an error.
func (c *call) guarded(ctx context.Context, run func(context.Context, *call) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = panicked(p)
		}
	}()
	return run(ctx, c)
}

func (c *call) run(ctx context.Context, get bool, handle func(context.Context, *call) error) error {
	if c.r.Method == http.MethodOptions {
		return c.preflight(ctx)
	}
	if c.r.Method != http.MethodPost && (!get || c.r.Method != http.MethodGet) {
		allow := "POST"
		if get {
			allow = "GET, POST"
		}
		c.w.Header().Set("Allow", allow)
		return &grants.Error{Code: "invalid_request", Description: "The method is not allowed here.", Status: http.StatusMethodNotAllowed}
	}
	if err := c.overTLS(); err != nil {
		return err
	}
	if err := c.parse(); err != nil {
		return err
	}
	return handle(ctx, c)
}

func (c *call) overTLS() error {
	if c.s.cfg.RequireTLS && !c.s.secure(c.r) {
		return &grants.Error{Code: "invalid_request", Description: "TLS is required.", Status: http.StatusBadRequest}
	}
	return nil
}

// panicked turns a panic in a hook, a store or a signer into a fault of ours. Its value may be anything, a secret too,
// so that only its type is told.
func panicked(p any) error {
	if e, ok := p.(interface{ RuntimeError() }); ok {
		return fmt.Errorf("grantwell: panic: %v", e)
	}
	return fmt.Errorf("grantwell: panic: %T", p)
}

// parse reads the form: the body of a POST, the query of a GET. What is in the query of a POST is not read.
func (c *call) parse() error {
	text := c.r.URL.RawQuery
	if c.r.Method == http.MethodPost {
		if err := refuseSecretsInQuery(text); err != nil {
			return err
		}
		if err := isForm(c.r); err != nil {
			return err
		}
		var err error
		if text, err = c.body(c.s.cfg.MaxBody); err != nil {
			return err
		}
	} else if int64(len(text)) > c.s.cfg.MaxBody {
		return tooLarge()
	}
	values, err := form.Parse(text, "resource", "audience")
	if err != nil {
		return grants.InvalidRequest("The parameters are malformed, too many, or one is repeated.").Because("%w", err)
	}
	c.req.Form = values
	if format := values.Get("format"); format != "" && c.s.cfg.Compat.Formats {
		switch format {
		case "json", "urlencoded", "xml":
			c.format = format
		case "query":
			c.format = "urlencoded"
		default:
			return grants.InvalidRequest("The format is json, urlencoded or xml.")
		}
	}
	return nil
}

// isForm refuses what does not call itself a form. Nearly every client spells it one way.
func isForm(r *http.Request) error {
	const form = "application/x-www-form-urlencoded"
	if sent := r.Header["Content-Type"]; len(sent) > 0 && sent[0] == form {
		return nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != form {
		return grants.InvalidRequest("The body must be application/x-www-form-urlencoded.")
	}
	return nil
}

func tooLarge() error {
	return &grants.Error{Code: "invalid_request", Description: "The request is too large.", Status: http.StatusRequestEntityTooLarge}
}

func (c *call) body(limit int64) (string, error) {
	if c.r.ContentLength > limit {
		c.w.Header().Set("Connection", "close") // the rest of it is not worth reading
		return "", tooLarge()
	}
	if n := c.r.ContentLength; n > 0 { // as nearly always: read that much at once
		text := make([]byte, n)
		if _, err := io.ReadFull(c.r.Body, text); err != nil {
			return "", grants.InvalidRequest("The body could not be read.").Because("%w", err)
		}
		return string(text), nil
	}
	var b strings.Builder
	// io.Copy would make 32 KiB for each request.
	if _, err := io.CopyBuffer(&b, http.MaxBytesReader(c.w, c.r.Body, limit), make([]byte, 4<<10)); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return "", tooLarge()
		}
		return "", grants.InvalidRequest("The body could not be read.").Because("%w", err)
	}
	return b.String(), nil
}

// inQuery are parameters that must never travel in a URL, where logs keep them (RFC 6749 section 2.3.1, RFC 9700 section 4.3).
var inQuery = []string{"client_secret", "client_assertion", "code", "token", "access_token", "refresh_token", "assertion", "password", "username", "code_verifier",
	"device_code", "subject_token", "actor_token"}

func refuseSecretsInQuery(query string) error {
	if query == "" {
		return nil
	}
	for pair := range strings.SplitSeq(query[:min(len(query), 64<<10)], "&") {
		name, _, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil && slices.Contains(inQuery, n) {
			return grants.InvalidRequest("Credentials and tokens belong into the body, not into the URL.")
		}
	}
	return nil
}

// writeError answers a protocol error in the format that was asked for (RFC 6749 section 5.2).
func (c *call) writeError(e *grants.Error) {
	h := c.w.Header()
	if e.Status == http.StatusUnauthorized && !c.hosted {
		h.Set("WWW-Authenticate", `Basic realm="`+quoted(c.s.cfg.Issuer)+`"`)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	} else if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	description, uri := e.Description, e.URI
	if c.s.cfg.ErrorText != nil {
		description, uri = c.s.errorText(e)
	}
	m := members{str("error", printable(e.Code, 256))}
	if description = printable(description, 256); description != "" {
		m = append(m, str("error_description", description))
	}
	if uri = strings.ReplaceAll(printable(uri, 512), " ", ""); uri != "" {
		m = append(m, str("error_uri", uri))
	}
	c.answer(e.Status, m)
}

func (s *Server) errorText(e *grants.Error) (description, uri string) {
	defer func() {
		if recover() != nil {
			description, uri = e.Description, e.URI
		}
	}()
	return s.cfg.ErrorText(e.Code, e.Description)
}

// printable keeps the characters that RFC 6749 section 5.2 allows in error_description.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), limit)]
}

func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
