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

// heldRecords is memstore, whose calls can be held or made to fail.
type heldRecords struct {
	*memstore.Store
	storeGate *storeGate
	down      atomic.Bool
}

func (s *heldRecords) fault() error {
	if s.down.Load() {
		return errStoreDown
	}
	return nil
}

func (s *heldRecords) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := s.fault(); err != nil {
		return storage.Record{}, err
	}
	if kind == storage.Code {
		s.storeGate.pass("read")
	}
	return s.Store.Get(ctx, kind, key)
}

func (s *heldRecords) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := s.fault(); err != nil {
		return err
	}
	s.storeGate.pass("spend")
	return s.Store.Advance(ctx, from, next, inserts...)
}

func (s *heldRecords) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Revoke(ctx, grantID, kinds...)
}

// newGrantwell serves Grantwell. change edits the configuration; it may be nil.
func newGrantwell(t testing.TB, claims map[string]any, change func(*grantwell.Config)) *contender {
	store := &heldRecords{Store: memstore.New()}
	keys := newKeyServer(t)
	remote := &assertion.RemoteKeys{Fetcher: &assertion.Fetcher{AllowPrivate: true, RootCAs: keys.roots}}
	verifier, err := assertion.NewJWT(assertion.JWTConfig{Issuer: demoIssuer, TokenEndpoint: demoIssuer + "/token",
		Issuers: grants.ClientIssuers{Clients: store, Remote: remote, Others: assertion.Issuers(
			assertion.Issuer{ID: demoIDP, JWKS: demoJWKS(&demoKeys().idp.PublicKey)})},
		Clients: grants.RegisteredKeys{Clients: store, Remote: remote}, Replay: grants.Replay{Records: store}})
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
		cfg.Events = nil
		if change != nil {
			change(cfg)
		}
	})
	server.Approval.Claims = claims
	c := listenAs(t, "Grantwell", server.Handler)
	store.storeGate, c.audience = c.storeGate, demoIssuer
	c.register = func(client storage.Client) error { return store.PutClient(context.Background(), client) }
	c.hashes = argon2Hashes
	c.broken = store.down.Store
	c.fetches = keys.fetched
	c.sign = func(claims map[string]any) string { return signDemo(demoKeys().server, demoKey(t).ID, claims) }
	for _, client := range demoClients(keys.tls) {
		require.NoError(t, c.register(client))
	}
	return c
}

// signedTokens makes access tokens JWTs that no store knows of.
func signedTokens(t testing.TB) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) {
		keys, err := tokens.StaticKeys(demoKey(t))
		require.NoError(t, err)
		cfg.Keys, cfg.AccessTokenFormat, cfg.Unrecorded = keys, "jwt", true
	}
}

func demoKey(t testing.TB) tokens.Key {
	key, err := tokens.NewKey(demoKeys().server, tokens.ES256)
	require.NoError(t, err)
	return key
}

// argon2MiB is the memory of one hash of the secret that argon2Secret returns.
const argon2MiB = 16

// argon2Secret is demoSecret as it is stored of a client that came from elsewhere with a slow hash.
func argon2Secret() storage.Secret {
	salt := []byte(rand.Text())[:16]
	b64 := base64.RawStdEncoding.EncodeToString
	hash := argon2.IDKey([]byte(demoSecret), salt, 1, argon2MiB<<10, 1, 32)
	return storage.Secret{Hash: fmt.Sprintf("$argon2id$v=19$m=%d,t=1,p=1$%s$%s", argon2MiB<<10, b64(salt), b64(hash))}
}

// argon2Hashes counts the slow hashes while f runs: nobody is told of one, but each takes its 16 MiB, and nothing else takes nearly as much.
func argon2Hashes(f func()) int {
	before := bytesAllocated()
	f()
	return int((bytesAllocated() - before) / (argon2MiB << 20))
}

// bytesAllocated is how many bytes were ever allocated in this process.
func bytesAllocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// jwksServer publishes the key set of the client "remote" and counts who asks for it.
type jwksServer struct {
	plain, tls string
	roots      *x509.CertPool
	n          atomic.Int64
}

func newKeyServer(t testing.TB) *jwksServer {
	s := new(jwksServer)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.n.Add(1)
		_, _ = w.Write(demoJWKS(&demoKeys().client.PublicKey))
	})
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	s.plain, s.tls, s.roots = plain.URL, secure.URL, x509.NewCertPool()
	s.roots.AddCert(secure.Certificate())
	return s
}

func (s *jwksServer) fetched() int { return int(s.n.Load()) }
