package assertion

import (
	"errors"

	"github.com/grantwell/grantwell/internal/base/jws"
	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// maxJSONDepth bounds how deep the claims may nest. Structured claims of real
// issuers (RFC 9396 details, act chains) stay far below.
const maxJSONDepth = 32

// jwtToken is a JWT whose signature has not been verified.
type jwtToken struct {
	*jws.Token
	claims map[string]any // numbers are json.Number
}

// parseJWT takes a JWT apart. Keys and references to keys in the header are
// passed over, because some senders attach their certificate to every
// assertion. The caller bounds the size of text.
func parseJWT(use Use, text string) (*jwtToken, *Error) {
	token, err := jws.Parse(text, jws.Rules{Padding: true, Keys: jws.IgnoreKeys})
	if err != nil {
		return nil, newError(use, parseReason(err), "not a compact JWS").because(err)
	}
	claims, err := strictjson.Object(token.Payload, strictjson.Limits{Depth: maxJSONDepth})
	if err != nil {
		return nil, newError(use, ReasonSyntax, "the claims").because(err)
	}
	return &jwtToken{Token: token, claims: claims}, nil
}

// parseReason returns the reason for an error of [jws.Parse].
func parseReason(err error) Reason {
	var fault *jws.Error
	if !errors.As(err, &fault) {
		return ReasonEncoding
	}
	switch fault.Kind {
	case jws.Syntax:
		return ReasonSyntax
	case jws.Structure:
		return ReasonStructure
	default:
		return ReasonEncoding
	}
}
