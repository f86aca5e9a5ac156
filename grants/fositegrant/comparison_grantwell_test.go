package fositegrant_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// heldRecords is a memory store whose calls can be held or made to fail.
type heldRecords struct {
	*memstore.Store
	gate *gate
	down atomic.Bool
}

// fault returns the error of a store that is down.
func (s *heldRecords) fault() error {
	if s.down.Load() {
		return errStoreDown
	}
	return nil
}

func (s *heldRecords) Get(
	ctx context.Context,
	kind storage.Kind,
	key string,
) (storage.Record, error) {
	if err := s.fault(); err != nil {
		return storage.Record{}, err
	}
	if kind == storage.Code {
		s.gate.pass("read")
	}
	return s.Store.Get(ctx, kind, key)
}

func (s *heldRecords) Advance(
	ctx context.Context,
	from storage.State,
	next storage.Record,
	inserts ...storage.Record,
) error {
	if err := s.fault(); err != nil {
		return err
	}
	s.gate.pass("spend")
	return s.Store.Advance(ctx, from, next, inserts...)
}

func (s *heldRecords) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Revoke(ctx, grantID, kinds...)
}

// newGrantwell serves Grantwell. Its host adds the claims to every login. change, if not
// nil, edits the configuration.
func newGrantwell(t testing.TB, claims map[string]any, change func(*grantwell.Config)) *contender {
	store := &heldRecords{Store: memstore.New()}
	keys := newKeyServer(t)
	remote := &assertion.RemoteKeys{
		Fetcher: &assertion.Fetcher{AllowPrivate: true, RootCAs: keys.roots},
	}
	idp := assertion.Issuer{ID: demoIDP, JWKS: demoJWKS(&demoKeys().idp.PublicKey)}
	verifier, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        demoIssuer,
		TokenEndpoint: demoIssuer + "/token",
		Issuers: grants.ClientIssuers{
			Clients: store,
			Remote:  remote,
			Others:  assertion.Issuers(idp),
		},
		Clients: grants.RegisteredKeys{Clients: store, Remote: remote},
		Replay:  grants.Replay{Records: store},
	})
	require.NoError(t, err)

	server := servertest.On(t, store, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{
			grants.AuthorizationCode{},
			grants.ClientCredentials{},
			grants.RefreshToken{Strict: true},
			grants.JWTBearer{Verifier: verifier},
		}
		cfg.ClientAuth = []grantwell.ClientAuthenticator{
			grantwell.AssertionAuth{Verifier: verifier},
		}
		cfg.PAR = grantwell.PARConfig{Path: "/par", Lifetime: pushedLifetime}
		cfg.Events = nil
		if change != nil {
			change(cfg)
		}
	})
	server.Approval.Claims = claims

	c := newContender(t, "Grantwell", server.Handler)
	store.gate = c.gate
	c.audience = demoIssuer
	c.register = func(client storage.Client) error {
		return store.PutClient(context.Background(), client)
	}
	c.hashes = argon2Hashes
	c.broken = store.down.Store
	c.fetches = keys.fetched
	c.sign = func(claims map[string]any) string {
		return signDemo(demoKeys().server, demoKey(t).ID, claims)
	}
	for _, client := range demoClients(keys.tls) {
		require.NoError(t, c.register(client))
	}
	return c
}

// signedTokens makes access tokens JWTs that are not recorded.
func signedTokens(t testing.TB) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		keys, err := tokens.StaticKeys(demoKey(t))
		require.NoError(t, err)
		cfg.Keys = keys
		cfg.AccessTokenFormat = "jwt"
		cfg.Unrecorded = true
	}
}

// demoKey returns the server's signing key.
func demoKey(t testing.TB) tokens.Key {
	key, err := tokens.NewKey(demoKeys().server, tokens.ES256)
	require.NoError(t, err)
	return key
}

// argon2MiB is the memory in MiB that one hash of argon2Secret takes.
const argon2MiB = 16

// argon2Secret is demoSecret as an imported client with a slow hash has it.
func argon2Secret() storage.Secret {
	salt := []byte(rand.Text())[:16]
	b64 := base64.RawStdEncoding.EncodeToString
	hash := argon2.IDKey([]byte(demoSecret), salt, 1, argon2MiB<<10, 1, 32)
	return storage.Secret{
		Hash: fmt.Sprintf("$argon2id$v=19$m=%d,t=1,p=1$%s$%s", argon2MiB<<10, b64(salt), b64(hash)),
	}
}

// argon2Hashes counts the slow hashes while f runs, by the memory that is allocated. Nothing
// else in a request allocates nearly as much as one hash.
func argon2Hashes(f func()) int {
	before := bytesAllocated()
	f()
	return int((bytesAllocated() - before) / (argon2MiB << 20))
}

// bytesAllocated returns the bytes that this process has allocated since its start.
func bytesAllocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// jwksServer publishes the key set of the client "remote" and counts the requests for it.
// It has one address without TLS for fosite and one with TLS for Grantwell.
type jwksServer struct {
	plain string
	tls   string
	roots *x509.CertPool
	n     atomic.Int64
}

// newKeyServer starts a key server.
func newKeyServer(t testing.TB) *jwksServer {
	s := new(jwksServer)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.n.Add(1)
		_, _ = w.Write(demoJWKS(&demoKeys().client.PublicKey))
	})
	plain := httptest.NewServer(h)
	secure := httptest.NewTLSServer(h)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	s.plain = plain.URL
	s.tls = secure.URL
	s.roots = x509.NewCertPool()
	s.roots.AddCert(secure.Certificate())
	return s
}

// fetched returns the number of requests so far.
func (s *jwksServer) fetched() int {
	return int(s.n.Load())
}
