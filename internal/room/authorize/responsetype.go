package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
)

// chooseMode chooses how the answer travels (OAuth 2.0 Multiple Response Type
// Encoding Practices section 2.1). If the requested mode is not possible, it is the
// default of the response type, by which the error goes back.
func (j *judgement) chooseMode(context.Context) error {
	j.Authorization.Types = words(j.once("response_type"))

	// A token must never be in a query, where servers and browsers log it. The error
	// that comes in its place travels the same way (RFC 6749 section 4.2.2.1), also
	// if the response type is not served.
	sent := words(strings.Join(j.Params["response_type"], " "))
	secret := slices.Contains(sent, "token") || slices.Contains(sent, "id_token")
	j.ResponseMode = "query"
	if secret {
		j.ResponseMode = "fragment"
	}

	mode := j.once("response_mode")
	if mode == "" {
		mode = j.ResponseMode
	}
	encoder := j.Frame.Encoders[mode]
	if encoder == nil {
		j.badMode = grants.InvalidRequest("The response_mode is not supported.").For(grants.ReasonResponseMode)
		return nil
	}
	if j.badMode = encoder.Accept(j.Authorization, secret); j.badMode == nil {
		j.ResponseMode = mode
	}

	return nil
}

// checkMode reports a mode that was not possible.
func (j *judgement) checkMode(context.Context) error { return j.badMode }

// checkType checks the response type (RFC 6749 section 3.1.1): first what the server
// serves, then what the client is registered for, as a response type and as the
// grant behind it.
func (j *judgement) checkType(context.Context) error {
	if len(j.Authorization.Types) == 0 {
		return grants.InvalidRequest("The parameter response_type is missing.")
	}

	// A combination is compared as a whole, in the order in which it is written.
	var whole []string
	registered := true
	for _, t := range j.Room.Types {
		if !slices.Contains(j.Authorization.Types, t.ResponseType()) {
			continue
		}
		whole = append(whole, t.ResponseType())
		registered = registered && j.Client.AllowsGrant(t.GrantType)
	}
	if len(whole) != len(j.Authorization.Types) { // a word that is not served, or one that occurs twice
		return &grants.Error{
			Code:        "unsupported_response_type",
			Description: "The response_type is not supported.",
			Reason:      grants.ReasonResponseType,
		}
	}

	j.ResponseType = strings.Join(whole, " ")
	if !registered || !j.Client.AllowsResponse(j.ResponseType) {
		return grants.UnauthorizedClient("The client is not registered for this response_type.")
	}

	return nil
}
