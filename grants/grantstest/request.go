package grantstest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// The values that every [Request] has.
const (
	// Issuer is the issuer identifier of the server.
	Issuer = "https://as.example"
	// Secret is the secret of the client.
	Secret = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"
	// Audience is a resource server that the client may name.
	Audience = "https://api.example"
	// RedirectURI is the redirect URI of the client.
	RedirectURI = "https://app.example/cb"
)

// Client returns the client that sends a [Request]: confidential, with the scopes
// read and write, of which read is the default. Each call returns another value.
func Client() storage.Client {
	return storage.Client{
		ID:           "client",
		Name:         "Sample",
		Secrets:      []storage.Secret{storage.HashSecret(Secret)},
		GrantTypes:   []string{"authorization_code", "client_credentials", "password", "refresh_token"},
		RedirectURIs: []string{RedirectURI},
		Scope:        []string{"read", "write"},
		DefaultScope: []string{"read"},
		Audience:     []string{Audience},
	}
}

// Request returns a token request with this form, as the server hands it to a handler.
// It comes from the client of [Client], which has authenticated. Its Environment is
// complete: the records are those of a new, empty memory store, and the limiter is
// that of a server without settings. A nil form is empty.
//
// Scope is that of the parameter scope. Each change edits the request before it is
// returned.
func Request(t testing.TB, form url.Values, changes ...func(*grants.Request)) *grants.Request {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}

	client := Client()
	r := &grants.Request{
		Form:          form,
		Client:        &client,
		Now:           time.Now().UTC(),
		Scope:         strings.Fields(form.Get("scope")),
		Authenticated: true,
		Remote:        netip.MustParseAddr("192.0.2.1"),
		Environment: grants.Environment{
			Issuer:        Issuer,
			TokenEndpoint: Issuer + "/token",
			Records:       memstore.New(),
			Codes:         tokens.Opaque{},
			RefreshTokens: tokens.Opaque{},
			Limiter:       limit.NewMemory(nil),
		},
	}
	for _, change := range changes {
		change(r)
	}

	return r
}

// Code stores an authorization code of the request's client and returns it. The code
// lives for a minute, and rests on the request's redirect_uri and
// code_verifier, if the form has them (RFC 7636, method S256).
func Code(t testing.TB, r *grants.Request, subject string, scope ...string) string {
	t.Helper()
	code, err := r.Codes.Mint(t.Context(), tokens.Claims{})
	require.NoError(t, err)

	uri := r.Form.Get("redirect_uri")
	d := record.Data{
		RedirectURI:      uri,
		RedirectURIGiven: uri != "",
		GrantType:        "authorization_code",
		AuthTime:         r.Now.Unix(),
	}
	if verifier := r.Form.Get("code_verifier"); verifier != "" {
		sum := sha256.Sum256([]byte(verifier))
		d.Challenge = base64.RawURLEncoding.EncodeToString(sum[:])
		d.ChallengeMethod = "S256"
	}
	store(t, r, d, storage.Record{
		Kind:      storage.Code,
		Key:       storage.Key(code),
		Subject:   subject,
		Scope:     scope,
		ExpiresAt: r.Now.Add(time.Minute),
	})

	return code
}

// RefreshToken stores a refresh token of the request's client, which lives for a day,
// and returns it.
func RefreshToken(t testing.TB, r *grants.Request, subject string, scope ...string) string {
	t.Helper()
	token, err := r.RefreshTokens.Mint(t.Context(), tokens.Claims{})
	require.NoError(t, err)

	end := r.Now.Add(24 * time.Hour)
	store(t, r, record.Data{FamilyEnd: end.Unix()}, storage.Record{
		Kind:      storage.Refresh,
		Key:       storage.Key(token),
		Subject:   subject,
		Scope:     scope,
		ExpiresAt: end,
	})

	return token
}

// store inserts a record of a grant of its own.
func store(t testing.TB, r *grants.Request, d record.Data, rec storage.Record) {
	t.Helper()
	data, err := d.Encode()
	require.NoError(t, err)

	rec.State = storage.Active
	rec.GrantID = "grant " + rec.Key
	rec.ClientID = r.Client.ID
	rec.IssuedAt = r.Now
	rec.Data = data
	require.NoError(t, r.Records.Insert(t.Context(), rec))
}
