package grantwell

import "time"

// Compat has deviations for clients of other servers, each off by default.
type Compat struct {
	// Formats answers format=urlencoded, format=query and format=xml in kind, errors too.
	Formats bool
	// QuotedExpiresIn writes expires_in as a JSON string.
	QuotedExpiresIn bool
	// ForeignRevocation is the status of an attempt to revoke another client's token,
	// which stays as it is: 0 or 400 (invalid_grant), 403, or 200, which does not
	// reveal that the token exists.
	ForeignRevocation int
	// AnySecretPlace takes a client's secret from the Basic header or from the body,
	// whichever of client_secret_basic and client_secret_post it is registered for.
	// One request still uses one of them.
	AnySecretPlace bool
}

// Gateway changes cfg so that the server answers as the OAuth service of a widely
// used API gateway does, so that the clients of that gateway can stay as they are:
// its paths, formats, lengths, lifetimes, scope delimiters and statuses. What is
// unsafe in the original (anonymous token information, tokens in the query, secrets
// in answers) stays off; see [TokenInfoConfig] for the first two.
func Gateway(cfg Config) Config {
	cfg.Paths = Paths{
		Authorize:   "/api/oauth/authorize",
		Token:       "/api/oauth/token",
		Revoke:      "/api/oauth/revoke",
		TokenInfo:   "/api/oauth/tokeninfo",
		Introspect:  "/api/oauth/introspect",
		JWKS:        "/api/oauth/jwks.json",
		Login:       cfg.Paths.Login,
		Consent:     cfg.Paths.Consent,
		DisplayCode: cfg.Paths.DisplayCode,
	}
	cfg.AccessTokens.Length = 54
	cfg.RefreshTokens.Length = 46
	cfg.Codes.Length = 30
	cfg.AccessTokenLifetime = time.Hour
	cfg.RefreshTokenLifetime = 12 * time.Hour
	cfg.CodeLifetime = 10 * time.Minute
	cfg.Scopes.Match = MatchAny
	cfg.Scopes.Delimiters = ",+"
	cfg.Compat = Compat{
		Formats:           true,
		QuotedExpiresIn:   true,
		ForeignRevocation: 403,
		AnySecretPlace:    true,
	}

	return cfg
}
