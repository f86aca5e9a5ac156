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
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Every back-channel endpoint refuses what it does not serve, sets no cookie, names no version, and forbids sniffing.
// Holds R1, R17, R18, S14, S19.
func TestEndpoints_MethodsAndHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *grantwell.Config) { c.Paths.TokenInfo = "/tokeninfo" })
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodPost} {
			req, err := http.NewRequest(method, r.http.URL+path, nil)
			require.NoError(t, err)
			res := r.send(req)
			if method != http.MethodPost {
				require.Equal(t, 405, res.status, method+path)
				require.Equal(t, "POST", res.header.Get("Allow"))
			}
			if method != http.MethodHead {
				require.NotEmpty(t, res.str("error"), method+path)
			}
			require.Equal(t, "no-store", res.header.Get("Cache-Control"))
			require.Equal(t, path == "/token", res.header.Get("Pragma") == "no-cache")
			require.Equal(t, "application/json", res.header.Get("Content-Type"))
			require.Equal(t, "nosniff", res.header.Get("X-Content-Type-Options"))
			require.Empty(t, res.header.Values("Set-Cookie"))
			require.Empty(t, res.header.Get("Server")+res.header.Get("X-Powered-By"))
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, r.http.URL+"/authorize", nil)
		require.NoError(t, err)
		require.Equal(t, 405, r.send(req).status)
	}
	page := r.get("/authorize", "client_id", "nobody")
	require.Equal(t, "nosniff", page.header.Get("X-Content-Type-Options"))
	require.NotContains(t, page.header.Get("Content-Security-Policy"), "unsafe-inline")
}

// Certificate headers that a proxy might set mean nothing from anybody: no method reads them.
// Holds R16.
func TestClientCertificateHeaders_AreNotRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	req, err := http.NewRequest(http.MethodPost, r.http.URL+"/token", strings.NewReader("grant_type=client_credentials&client_id=conf"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, h := range []string{"X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert", "Client-Cert", "SSL-Client-Verify"} {
		req.Header.Set(h, "SUCCESS")
	}
	r.send(req).fails(t, 401, "invalid_client")
}

// A public client names itself at redemption, and it is the one that the code was issued to.
// Holds R112, S9.
func TestCode_PublicClientNamesItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	code := r.code("public")
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}
	r.post("/token", "", form...).fails(t, 401, "invalid_client")
	require.Equal(t, 200, r.post("/token", "", append(form, "client_id", "public")...).status)
	code = r.code("public")
	form[3] = code
	r.post("/token", conf, form...).fails(t, 400, "invalid_grant")
}

// Nobody's user can pass for a client: a subject that is a client's ID gets nothing.
// Holds R140.
func TestSubject_ThatIsAClientIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *grantwell.Config) {
		key, err := tokens.GenerateKey(tokens.ES256)
		require.NoError(t, err)
		c.Keys, err = tokens.StaticKeys(key)
		require.NoError(t, err)
		c.AccessTokenFormat = "jwt"
		c.Grants[2] = grants.Password{Authenticator: subjects{}}
	})
	ask := func(user string) reply {
		return r.post("/token", conf, "grant_type", "password", "username", user, "password", "x")
	}
	ask("conf").fails(t, 400, "invalid_grant")
	ask("other").fails(t, 400, "invalid_grant")
	require.Equal(t, 200, ask("alice").status)
	res := r.post("/token", conf, "grant_type", "client_credentials")
	tok, err := jose.ParseSignedCompact(res.str("access_token"), []jose.SignatureAlgorithm{jose.ES256})
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
	r := newRig(t, func(c *grantwell.Config) { c.Scopes = rules })
	require.Equal(t, []any{"read"}, r.get("/.well-known/oauth-authorization-server").json["scopes_supported"])
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
	require.Error(t, (&storage.Client{ID: "x", AuthMethod: storage.AuthClientSecretJWT, Secrets: []storage.Secret{stored}, RedirectURIs: []string{redirect}}).Validate())
}

// An issuer may be allowed refresh tokens; a token outlives its assertion only if the server is told so; a parameter
// of an assertion request is sent once.
// Holds RF2, RF17, RF18.
func TestAssertionGrant_LifetimeAndRefresh(t *testing.T) {
	t.Parallel()
	for _, outlive := range []bool{false, true} {
		key := ecKey(t)
		r, _ := assertionRig(t, func(c *grantwell.Config) {
			v, err := assertion.NewJWT(assertion.JWTConfig{Issuer: c.Issuer, Replay: grants.Replay{Records: c.Records},
				Issuers: assertion.Issuers(assertion.Issuer{ID: "https://fresh.example", JWKS: jwks(t, &key.PublicKey), RefreshToken: true})})
			require.NoError(t, err)
			for i, g := range c.Grants {
				if g.GrantType() == assertion.GrantJWT {
					c.Grants[i] = grants.JWTBearer{Verifier: v, Bearer: grants.Bearer{OutliveAssertion: outlive}}
				}
			}
		})
		a := sign(t, jose.ES256, key, claims("https://fresh.example", "alice", issuer))
		r.post("/token", trusted, "grant_type", assertion.GrantJWT, "assertion", a, "assertion", a).fails(t, 400, "invalid_request")
		res := r.post("/token", trusted, "grant_type", assertion.GrantJWT, "assertion", a)
		require.Equal(t, 200, res.status, res.body)
		require.NotEmpty(t, res.str("refresh_token"))
		require.Equal(t, outlive, res.json["expires_in"].(float64) > 130, res.body)
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
