package grantwell_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Every back-channel endpoint refuses what it does not serve, sets no cookie, names no version, and forbids sniffing.
// Holds R1, R17, R18, S14, S19.
func TestEndpoints_MethodsAndHeaders(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, func(c *grantwell.Config) { c.Paths.TokenInfo = "/tokeninfo" })
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodPost} {
			req, err := http.NewRequest(method, servertest.Issuer+path, nil)
			require.NoError(t, err)
			res := r.Do(req)
			if method != http.MethodPost {
				require.Equal(t, 405, res.Status, method+path)
				require.Equal(t, "POST", res.Header.Get("Allow"))
			}
			if method != http.MethodHead {
				require.NotEmpty(t, res.String("error"), method+path)
			}
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Equal(t, path == "/token", res.Header.Get("Pragma") == "no-cache")
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
			require.Empty(t, res.Header.Values("Set-Cookie"))
			require.Empty(t, res.Header.Get("Server")+res.Header.Get("X-Powered-By"))
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, servertest.Issuer+"/authorize", nil)
		require.NoError(t, err)
		require.Equal(t, 405, r.Do(req).Status)
	}
	page := r.Get("/authorize", "client_id", "nobody")
	require.Equal(t, "nosniff", page.Header.Get("X-Content-Type-Options"))
	require.NotContains(t, page.Header.Get("Content-Security-Policy"), "unsafe-inline")
}

// Certificate headers that a proxy might set mean nothing from anybody: no method reads them.
// Holds R16.
func TestClientCertificateHeaders_AreNotRead(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	req, err := http.NewRequest(http.MethodPost, servertest.Issuer+"/token", strings.NewReader("grant_type=client_credentials&client_id=conf"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, h := range []string{"X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert", "Client-Cert", "SSL-Client-Verify"} {
		req.Header.Set(h, "SUCCESS")
	}
	r.Do(req).Fails(t, 401, "invalid_client")
}

// A public client names itself at redemption, and it is the one that the code was issued to.
// Holds R112, S9.
func TestCode_PublicClientNamesItself(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	code := r.Code("public")
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", servertest.Redirect, "code_verifier", servertest.Verifier}
	r.Post("/token", "", form...).Fails(t, 401, "invalid_client")
	require.Equal(t, 200, r.Post("/token", "", append(form, "client_id", "public")...).Status)
	code = r.Code("public")
	form[3] = code
	r.Post("/token", servertest.Conf, form...).Fails(t, 400, "invalid_grant")
}

// Nobody's user can pass for a client: a subject that is a client's ID gets nothing.
// Holds R140.
func TestSubject_ThatIsAClientIsRefused(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, func(c *grantwell.Config) {
		key, err := tokens.GenerateKey(tokens.ES256)
		require.NoError(t, err)
		c.Keys, err = tokens.StaticKeys(key)
		require.NoError(t, err)
		c.AccessTokenFormat = "jwt"
		c.Grants[2] = grants.Password{Authenticator: subjects{}}
	})
	ask := func(user string) servertest.Reply {
		return r.Post("/token", servertest.Conf, "grant_type", "password", "username", user, "password", "x")
	}
	ask("conf").Fails(t, 400, "invalid_grant")
	ask("other").Fails(t, 400, "invalid_grant")
	require.Equal(t, 200, ask("alice").Status)
	res := r.Post("/token", servertest.Conf, "grant_type", "client_credentials")
	tok, err := jose.ParseSignedCompact(res.String("access_token"), []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	require.Contains(t, string(tok.UnsafePayloadWithoutVerification()), `"sub":"conf"`)
}

// subjects takes any password: the user is who it says.
type subjects struct{}

func (subjects) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	return grants.User{Subject: l.Username}, nil
}

// A scope is shown by its description, and the public ones are in the metadata.
// Holds S134.
func TestScopes_DescriptionsAndMetadata(t *testing.T) {
	t.Parallel()
	rules := grantwell.ScopeRules{Known: []grantwell.Scope{{Name: "read", Description: "Access and change your email contacts", Public: true}, {Name: "write"}}}
	require.Equal(t, "Access and change your email contacts", rules.Description("read"))
	require.Equal(t, "write", rules.Description("write"))
	r := servertest.New(t, func(c *grantwell.Config) { c.Scopes = rules })
	require.Equal(t, []any{"read"}, r.Get("/.well-known/oauth-authorization-server").JSON["scopes_supported"])
}

// A generated secret is shown once, has 256 bits, and only its hash is stored; the key of client_secret_jwt is apart.
// Holds S139.
func TestSecret_OnlyItsHashIsStored(t *testing.T) {
	t.Parallel()
	plain, stored := grantwell.GenerateSecret()
	again, _ := grantwell.GenerateSecret()
	require.NotEqual(t, plain, again)
	require.Len(t, plain, 43)
	require.NotContains(t, stored.Hash, plain)
	require.Equal(t, storage.HashSecret(plain), stored)
	require.Error(t, storage.Client{ID: "x", AuthMethod: storage.AuthClientSecretJWT, Secrets: []storage.Secret{stored}, RedirectURIs: []string{servertest.Redirect}}.Validate())
}

// An issuer may be allowed refresh tokens; a token outlives its assertion only if the server is told so; a parameter
// of an assertion request is sent once.
// Holds RF2, RF17, RF18.
func TestAssertionGrant_LifetimeAndRefresh(t *testing.T) {
	t.Parallel()
	for _, outlive := range []bool{false, true} {
		key := servertest.ECKey(t)
		r, _ := servertest.NewAssertion(t, func(c *grantwell.Config) {
			v, err := assertion.NewJWT(assertion.JWTConfig{Issuer: c.Issuer, Replay: grants.Replay{Records: c.Records},
				Issuers: assertion.Issuers(assertion.Issuer{ID: "https://fresh.example", JWKS: servertest.JWKS(t, &key.PublicKey), RefreshToken: true})})
			require.NoError(t, err)
			for i, g := range c.Grants {
				if g.GrantType() == assertion.GrantJWT {
					c.Grants[i] = grants.JWTBearer{Verifier: v, Bearer: grants.Bearer{OutliveAssertion: outlive}}
				}
			}
		})
		a := servertest.SignJWT(t, jose.ES256, key, servertest.AssertionClaims("https://fresh.example", "alice", servertest.Issuer))
		r.Post("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", a, "assertion", a).Fails(t, 400, "invalid_request")
		res := r.Post("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", a)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotEmpty(t, res.String("refresh_token"))
		require.Equal(t, outlive, res.JSON["expires_in"].(float64) > 130, res.Body)
	}
}

// Secrets are never compared by an operator that stops at the first difference: no == or != has a
// secret, a verifier or a hash of one on either side in the code that judges them.
// Holds R109.
func TestSecrets_AreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	files := []string{"grants/pkce.go", "interaction.go"}
	more, err := filepath.Glob("*secret*.go")
	require.NoError(t, err)
	for _, name := range append(files, more...) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			if !ok || b.Op != token.EQL && b.Op != token.NEQ {
				return true
			}
			for _, side := range []ast.Expr{b.X, b.Y} {
				if id, ok := side.(*ast.Ident); ok {
					for _, word := range []string{"secret", "hash", "got", "want", "sum"} {
						other := b.Y
						if side == b.Y {
							other = b.X
						}
						if lit, ok := other.(*ast.BasicLit); ok && lit.Value == `""` || isNil(other) {
							continue
						}
						require.NotEqual(t, word, id.Name, name)
					}
				}
			}
			return true
		})
	}
}

func isNil(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "nil"
}
