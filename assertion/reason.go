package assertion

import (
	"fmt"
	"strings"
)

// Reason names why an assertion was refused. The strings are stable: logs,
// counters and alerts may depend on them.
type Reason string

// The reasons, in about the order in which they can arise.
const (
	ReasonMissing      Reason = "missing"        // the parameter is empty
	ReasonDisabled     Reason = "disabled"       // this use is not enabled
	ReasonSize         Reason = "size"           // longer, deeper or more numerous than the limits
	ReasonEncoding     Reason = "encoding"       // not base64url, not a compact JWS
	ReasonSyntax       Reason = "syntax"         // not the part of XML or JSON that is accepted
	ReasonStructure    Reason = "structure"      // elements or headers in another shape than the allowed one
	ReasonAlgorithm    Reason = "algorithm"      // not on the list of algorithms
	ReasonType         Reason = "type"           // another kind of token
	ReasonDecryption   Reason = "decryption"     // every failure to decrypt, without distinction
	ReasonIssuer       Reason = "issuer"         // none, or not a trusted one
	ReasonKey          Reason = "key"            // no usable key of the issuer
	ReasonSignature    Reason = "signature"      // no key of the issuer verifies it
	ReasonContent      Reason = "content"        // breaks the rules of the format
	ReasonSubject      Reason = "subject"        // no subject, several, or another than demanded
	ReasonAudience     Reason = "audience"       // not meant for this server
	ReasonCondition    Reason = "condition"      // an unknown condition
	ReasonConfirmation Reason = "confirmation"   // no valid bearer confirmation
	ReasonRecipient    Reason = "recipient"      // delivered to another recipient
	ReasonAddress      Reason = "address"        // sent from another address
	ReasonInResponseTo Reason = "in_response_to" // answers a request that this server did not make
	ReasonExpired      Reason = "expired"        // its time has passed
	ReasonNotYetValid  Reason = "not_yet_valid"  // its time has not come
	ReasonLifetime     Reason = "lifetime"       // no expiry, or one too far in the future
	ReasonClient       Reason = "client"         // not for this client
	ReasonReplay       Reason = "replay"         // used before
	ReasonUnavailable  Reason = "unavailable"    // a store, source or hook failed: server_error
)

// The values of [Error.Code], RFC 6749 section 5.2.
const (
	codeInvalidRequest = "invalid_request"
	codeInvalidClient  = "invalid_client"
	codeInvalidGrant   = "invalid_grant"
	codeServerError    = "server_error"
)

// Error is the refusal of an assertion.
type Error struct {
	// Code is invalid_grant, invalid_client, invalid_request or server_error.
	Code   string
	Reason Reason
	// Detail is for the operator: what was found and what was expected.
	Detail string
	// Err is the cause, if there is one.
	Err error

	// verified says that the signature of the assertion holds, so that its sender
	// may learn which claim was refused.
	verified bool
}

// newError returns an error whose code follows from the use and the reason (RFC 7521
// sections 4.1.1 and 4.2.1).
func newError(use Use, reason Reason, format string, args ...any) *Error {
	e := &Error{Code: codeInvalidGrant, Reason: reason, Detail: fmt.Sprintf(format, args...)}
	switch {
	case reason == ReasonUnavailable:
		e.Code = codeServerError
	case reason == ReasonMissing:
		e.Code = codeInvalidRequest
	case use == ClientAuth:
		e.Code = codeInvalidClient
	}
	return e
}

// because adds the cause and returns e.
func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// Error returns one line for the log, with reason, detail and cause. Values of the
// assertion are quoted and cut short. Do not send it to the client.
func (e *Error) Error() string {
	s := "assertion: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClaimRefused returns a text for the sender of a JWT whose signature holds: the claim
// that was refused, what is accepted, and the limit. It is "" before the signature was
// verified, and for refusals that depend on other things than the type, the times, the
// audience and the form of the claims.
//
// The text has only the characters of error_description (RFC 6749 section 5.2).
func (e *Error) ClaimRefused() string {
	if !e.verified {
		return ""
	}
	switch e.Reason {
	case ReasonType, ReasonContent, ReasonAudience, ReasonExpired, ReasonNotYetValid, ReasonLifetime:
		return strings.Map(describable, e.Detail)
	default:
		return ""
	}
}

// describable replaces the characters that error_description cannot have.
func describable(c rune) rune {
	switch {
	case c == '"' || c == '\\':
		return '\''
	case c < ' ' || c > '~':
		return '?'
	}
	return c
}

// claimsRefused marks a refusal as one of a token whose signature was verified.
func claimsRefused(e *Error) *Error {
	if e != nil {
		e.verified = true
	}
	return e
}

// Description returns a text for error_description. It helps an honest client, and
// reveals nothing about keys, stores or other clients.
func (e *Error) Description() string {
	if text := e.ClaimRefused(); text != "" {
		return "The assertion is not acceptable: " + text + "."
	}
	switch e.Reason {
	case ReasonMissing:
		return "The assertion is missing."
	case ReasonDisabled:
		return "This kind of assertion is not accepted."
	case ReasonSize, ReasonEncoding, ReasonSyntax, ReasonStructure, ReasonType:
		return "The assertion is malformed."
	case ReasonExpired, ReasonNotYetValid, ReasonLifetime:
		return "The assertion is outside its period of validity."
	case ReasonAudience, ReasonRecipient:
		return "The assertion is not meant for this server."
	case ReasonReplay:
		return "The assertion was used before."
	case ReasonUnavailable:
		return "The assertion could not be checked."
	default:
		return "The assertion is not acceptable."
	}
}

// shown quotes a text of an unknown sender for a log line, and cuts it short.
func shown(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%.*q (%d octets)", most, s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
