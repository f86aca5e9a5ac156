// Package frame has what the two frames of the server's endpoints have in common:
// package backchannel, for machines, and package browser, for pages.
package frame

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/internal/event"
)

// Settings are the settings of both frames.
type Settings struct {
	Issuer     string
	Timeout    time.Duration // of one request
	MaxBody    int64         // bytes
	RequireTLS bool
	Peers      *peer.Proxies
	// ErrorText replaces public error descriptions; nil: none are replaced.
	ErrorText func(code, description string) (text, uri string)
	Events    *event.Sink
	// Bodies ends reads of bodies; nil: each read has a deadline of the connection.
	Bodies *deadline.Watchdog
}

// Text returns the description and URI of an error as a caller sees them. If the
// host's function panics, the built-in text is used.
func (s *Settings) Text(e *grants.Error) (description, uri string) {
	description, uri = e.Description, e.URI
	if s.ErrorText == nil {
		return description, uri
	}
	defer func() {
		if recover() != nil {
			description, uri = e.Description, e.URI
		}
	}()

	return s.ErrorText(e.Code, e.Description)
}

// CheckTLS refuses a request that did not come over TLS, where that is required.
func (s *Settings) CheckTLS(r *http.Request) error {
	if s.RequireTLS && !s.Peers.Secure(r) {
		return grants.InvalidRequest("TLS is required.").For(grants.ReasonTLS)
	}

	return nil
}

// Panicked turns the value of a panic in a hook, a store or a signer into a fault of
// the server. The value may be anything, a secret too, so the error has only its
// type. It panics again with [http.ErrAbortHandler].
func Panicked(p any) error {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the value itself
		panic(p)
	}
	if e, ok := p.(interface{ RuntimeError() }); ok {
		return fmt.Errorf("grantwell: panic: %v", e)
	}

	return fmt.Errorf("grantwell: panic: %T", p)
}

const formType = "application/x-www-form-urlencoded"

// CheckForm refuses a request whose body is not declared to be a form.
func CheckForm(r *http.Request) error {
	if sent := r.Header["Content-Type"]; len(sent) > 0 && sent[0] == formType {
		return nil // the spelling of nearly every client
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != formType {
		return grants.InvalidRequest("The body must be application/x-www-form-urlencoded.").For(grants.ReasonMalformed)
	}

	return nil
}

// TooLarge returns the error for a request of more bytes than are read.
func TooLarge() error {
	return &grants.Error{
		Code:        "invalid_request",
		Description: "The request is too large.",
		Status:      http.StatusRequestEntityTooLarge,
		Reason:      grants.ReasonTooLarge,
	}
}

// Malformed returns the error for parameters that are not a form as the server
// reads it.
func Malformed(err error) error {
	return grants.InvalidRequest("The parameters are malformed, too many, or one is repeated.").
		For(grants.ReasonMalformed).Because("%w", err)
}

// MethodNotAllowed sets Allow and returns the error for another method.
func MethodNotAllowed(w http.ResponseWriter, allow string) error {
	w.Header().Set("Allow", allow)

	return &grants.Error{
		Code:        "invalid_request",
		Description: "The method is not allowed here.",
		Status:      http.StatusMethodNotAllowed,
		Reason:      grants.ReasonMethod,
	}
}

// Printable keeps the characters that RFC 6749 section 5.2 allows in
// error_description, at most limit of them.
func Printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)

	return s[:min(len(s), limit)]
}

// The bounds of error texts, in bytes.
const (
	MaxDescription = 256
	MaxURI         = 512
)
