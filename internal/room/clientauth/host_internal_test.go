package clientauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/peer"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// signed verifies nothing, and names its methods and its algorithms.
type signed struct {
	seam.Authenticator
	method string
	algs   []string
}

func (s signed) Methods() []string           { return []string{s.method} }
func (s signed) SigningAlgorithms() []string { return s.algs }

// A method is accepted only if something verifies it. Without a list, all are that
// something verifies.
//
// Holds: house: configuration errors.
func TestPrepare_MethodsAreVerifiedBySomething(t *testing.T) {
	t.Parallel()
	others := []seam.Authenticator{signed{method: storage.AuthTLS}}
	r := &Room{Others: others}
	require.NoError(t, r.Prepare())
	require.Contains(t, r.Methods, storage.AuthTLS)
	require.Contains(t, r.Methods, storage.AuthNone)
	require.NoError(t, (&Room{Others: others, Methods: []string{storage.AuthTLS}}).Prepare())
	for _, method := range []string{"magic", storage.AuthPrivateKeyJWT, ""} {
		err := (&Room{Others: others, Methods: []string{storage.AuthNone, method}}).Prepare()
		require.ErrorContains(t, err, "AuthMethods", method)
	}
}

// The metadata name the algorithms of methods that are accepted, each once and in order.
//
// Holds: RFC 8414 section 2.
func TestSigningAlgorithms_OfMethodsInUse(t *testing.T) {
	t.Parallel()
	r := &Room{
		Others: []seam.Authenticator{
			signed{method: storage.AuthPrivateKeyJWT, algs: []string{"RS256", "ES256"}},
			signed{method: storage.AuthTLS, algs: []string{"PS256", "ES256"}},
			signed{method: storage.AuthClientSecretJWT, algs: []string{"HS256"}},
			struct{ seam.Authenticator }{signed{method: storage.AuthTLS, algs: []string{"none"}}},
		},
		Methods: []string{storage.AuthPrivateKeyJWT, storage.AuthTLS},
	}
	require.Equal(t, []string{"ES256", "PS256", "RS256"}, r.SigningAlgorithms())
}

// keys keeps the keys by which tries are counted.
type keys struct{ seen []string }

func (k *keys) Attempt(_ context.Context, key string) (func(bool), time.Duration, error) {
	k.seen = append(k.seen, key)
	return func(bool) {}, 0, nil
}

// Tries are counted by client and address, in the class of the client if it has one. A
// request without an address is in no count of addresses, which all such requests would
// share.
//
// Holds: house: shared limits.
func TestLimit_Keys(t *testing.T) {
	t.Parallel()
	counted := &keys{}
	r := &Room{Limit: frame.Limit{Limiter: counted, Peers: &peer.Proxies{}}, LimitClass: func(id string) string {
		return map[string]string{"batch": "machine"}[id]
	}}
	req := httptest.NewRequest(http.MethodPost, "/token", nil)
	req.RemoteAddr = "192.0.2.1:1"
	for id, want := range map[string]string{
		"batch": "client/machine:" + storage.JoinKey("batch", "192.0.2.1"),
		"app":   "client:" + storage.JoinKey("app", "192.0.2.1"),
	} {
		counted.seen = nil
		_, err := r.guess(t.Context(), &seam.Call{Request: req, Form: url.Values{}}, &presented{clientID: id}, nil, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"addr:192.0.2.1", want}, counted.seen)
	}

	req.RemoteAddr = "@"
	counted.seen = nil
	_, err := r.ByAddress(t.Context(), Proofs, req)
	require.NoError(t, err)
	require.Empty(t, counted.seen)
}
