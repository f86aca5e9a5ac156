package grants

// Reason names the check that refused a request. The values are stable and few, so
// that they fit a metric's label. The text beside a reason, [Error].Err, is for
// people and may change.
type Reason string

// The reasons. [Reasons] lists them.
const (
	// The request as such.
	ReasonMethod      Reason = "method"             // the HTTP method is not allowed here
	ReasonTLS         Reason = "tls"                // the request did not come over TLS
	ReasonMalformed   Reason = "malformed"          // not a form or JSON as required, or a parameter is repeated
	ReasonTooLarge    Reason = "too_large"          // more bytes than are read
	ReasonInURL       Reason = "credentials_in_url" // a secret or token stands in the URL
	ReasonParameter   Reason = "parameter"          // a parameter is missing or has no valid value
	ReasonCrossSite   Reason = "cross_site"         // another site made the browser send the request
	ReasonForgery     Reason = "forgery"            // the form's anti-forgery token is missing or wrong
	ReasonNotFound    Reason = "not_found"          // there is nothing at this path or with this ID
	ReasonConflict    Reason = "conflict"           // the stored value differs from what the request expects
	ReasonLimit       Reason = "limit"              // too many tries
	ReasonCredentials Reason = "credentials"        // client credentials are malformed, of several kinds, or of several clients

	// The client.
	ReasonNoCredentials      Reason = "no_credentials"      // the request names no client, or a confidential one without proof
	ReasonClient             Reason = "client"              // client authentication failed
	ReasonClientUnknown      Reason = "client_unknown"      // no client has this ID
	ReasonClientDisabled     Reason = "client_disabled"     // the client is disabled
	ReasonClientMethod       Reason = "client_method"       // not the client's registered authentication method
	ReasonClientSecret       Reason = "client_secret"       // the secret is wrong
	ReasonClientProof        Reason = "client_proof"        // the client's assertion or certificate does not hold
	ReasonClientRegistration Reason = "client_registration" // the client is not registered for what it asks
	ReasonClientEnded        Reason = "client_ended"        // what the client had before TokensNotBefore has ended

	// The authorization request.
	ReasonRedirectURI     Reason = "redirect_uri"         // missing, or not a registered one
	ReasonResponseType    Reason = "response_type"        // not served
	ReasonResponseMode    Reason = "response_mode"        // not served, or not fit for this answer
	ReasonChallenge       Reason = "code_challenge"       // PKCE is missing or malformed
	ReasonRequestObject   Reason = "request_object"       // a request object or request_uri is not accepted
	ReasonNotPushed       Reason = "not_pushed"           // the client must push its authorization requests
	ReasonInteraction     Reason = "interaction"          // the waiting request is unknown, expired or of another browser
	ReasonAnswered        Reason = "answered"             // the request was answered before
	ReasonDenied          Reason = "denied"               // the user or the host said no
	ReasonLoginRequired   Reason = "login_required"       // prompt=none, and the user must sign in
	ReasonConsentRequired Reason = "consent_required"     // prompt=none, and the user must allow
	ReasonNoResponse      Reason = "authorization_failed" // the client reports that it was not given access

	// The grant.
	ReasonGrantType       Reason = "grant_type"       // not served
	ReasonGrant           Reason = "grant"            // the grant does not hold
	ReasonCodeUnknown     Reason = "code_unknown"     // no code like this was issued
	ReasonCodeClient      Reason = "code_client"      // the code of another client
	ReasonCodeSpent       Reason = "code_spent"       // the code was redeemed before
	ReasonCodeRevoked     Reason = "code_revoked"     // the code was revoked
	ReasonCodeExpired     Reason = "code_expired"     // the code has expired
	ReasonCodeVerifier    Reason = "code_verifier"    // the verifier does not match the challenge, or one of both is missing
	ReasonRefreshUnknown  Reason = "refresh_unknown"  // no refresh token like this was issued
	ReasonRefreshClient   Reason = "refresh_client"   // the refresh token of another client
	ReasonRefreshReused   Reason = "refresh_reused"   // the refresh token was used before
	ReasonRefreshRevoked  Reason = "refresh_revoked"  // the refresh token was revoked
	ReasonRefreshExpired  Reason = "refresh_expired"  // the refresh token has expired
	ReasonKey             Reason = "key"              // bound to a key whose possession was not proved
	ReasonPassword        Reason = "password"         // the username or the password is wrong
	ReasonAssertion       Reason = "assertion"        // the assertion does not hold
	ReasonSubjectDisabled Reason = "subject_disabled" // the host has disabled the user
	ReasonSubjectIsClient Reason = "subject_client"   // the user's subject is the ID of a client
	ReasonConsent         Reason = "consent"          // the user's consent was withdrawn
	ReasonScope           Reason = "scope"            // unknown, malformed, or more than may be granted
	ReasonAudience        Reason = "audience"         // unknown, malformed, or not registered for the client
	ReasonRace            Reason = "race"             // another request spent the same code or token first

	// The token that was asked about.
	ReasonToken       Reason = "token"        // not a live token
	ReasonTokenClient Reason = "token_client" // the token of another client
	ReasonTokenKind   Reason = "token_kind"   // this kind of token cannot be revoked
	ReasonNotEntitled Reason = "not_entitled" // the caller may not know about this token

	// The server.
	ReasonHost        Reason = "host"        // a hook or handler of the host refused without a reason
	ReasonUnavailable Reason = "unavailable" // the store, or another part that the answer needs, failed
	ReasonTimeout     Reason = "timeout"     // the request's time was over
	ReasonInternal    Reason = "internal"    // a fault of the server or of a hook
)

// Reasons returns every reason that the server gives, in no particular order.
func Reasons() []Reason {
	return []Reason{
		ReasonMethod, ReasonTLS, ReasonMalformed, ReasonTooLarge, ReasonInURL, ReasonParameter,
		ReasonCrossSite, ReasonForgery, ReasonNotFound, ReasonConflict, ReasonLimit, ReasonCredentials,
		ReasonNoCredentials, ReasonClient, ReasonClientUnknown, ReasonClientDisabled, ReasonClientMethod,
		ReasonClientSecret, ReasonClientProof, ReasonClientRegistration, ReasonClientEnded,
		ReasonRedirectURI, ReasonResponseType, ReasonResponseMode, ReasonChallenge, ReasonRequestObject,
		ReasonNotPushed, ReasonInteraction, ReasonAnswered, ReasonDenied, ReasonLoginRequired,
		ReasonConsentRequired, ReasonNoResponse,
		ReasonGrantType, ReasonGrant, ReasonCodeUnknown, ReasonCodeClient, ReasonCodeSpent,
		ReasonCodeRevoked, ReasonCodeExpired, ReasonCodeVerifier, ReasonRefreshUnknown,
		ReasonRefreshClient, ReasonRefreshReused, ReasonRefreshRevoked, ReasonRefreshExpired, ReasonKey,
		ReasonPassword, ReasonAssertion, ReasonSubjectDisabled, ReasonSubjectIsClient, ReasonConsent,
		ReasonScope, ReasonAudience, ReasonRace,
		ReasonToken, ReasonTokenClient, ReasonTokenKind, ReasonNotEntitled,
		ReasonHost, ReasonUnavailable, ReasonTimeout, ReasonInternal,
	}
}
