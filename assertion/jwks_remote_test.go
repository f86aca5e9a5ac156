package assertion

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// keyServer serves a set that a test can change, and counts requests. It runs
// by the real clock, and the fetching side in a bubble with its own clock.
type keyServer struct {
	*httptest.Server
	body atomic.Pointer[[]byte] // nil: 503
	hits atomic.Int32
}

func newKeyServer(t *testing.T, keys ...jwtMap) *keyServer {
	s := &keyServer{}
	s.set(jwksOf(keys...))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.hits.Add(1)
		body := s.body.Load()
		if body == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(*body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) set(body []byte) { s.body.Store(&body) }

func (s *keyServer) remote() *RemoteKeys { return &RemoteKeys{Fetcher: &Fetcher{AllowPrivate: true}} }

// Holds: RFC 8725 section 3.10.
func TestRemoteKeys_AnUnknownKidFetchesAtMostOncePerInterval(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	server := newKeyServer(t, jwkOf("a", keys["p256"].Public()))
	synctest.Test(t, func(t *testing.T) {
		remote := server.remote()
		j, _ := grantVerifier(t, func(c *JWTConfig) { c.AllowReuse = true }, idp(func(i *Issuer) { i.JWT.Keys = remote.URL(server.URL) }))
		verify := func(kid, key string) error {
			_, err := j.Verify(t.Context(), grantOf(signJWT(t, "ES256", kid, keys[key], grantClaims())))
			return err
		}
		require.NoError(t, verify("a", "p256"))
		for i := range 1000 {
			require.Error(t, verify(fmt.Sprint("invented ", i), "p256b"))
		}
		require.EqualValues(t, 1, server.hits.Load(), "within the interval of the first fetch there is no other")

		// The issuer rolls over. Both keys verify, the new one after a refetch.
		server.set(jwksOf(jwkOf("a", keys["p256"].Public()), jwkOf("b", keys["p256b"].Public())))
		require.Error(t, verify("b", "p256b"))
		time.Sleep(5 * time.Minute)
		require.NoError(t, verify("b", "p256b"))
		require.NoError(t, verify("a", "p256"))
		require.EqualValues(t, 2, server.hits.Load())
		for range 10 {
			time.Sleep(time.Minute)
			require.Error(t, verify("invented", "p256b"))
		}
		require.LessOrEqual(t, server.hits.Load(), int32(4))
	})
}

// Holds: RFC 8725 section 3.10.
func TestRemoteKeys_TheLastGoodSetOutlivesFailuresForATime(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	server := newKeyServer(t, jwkOf("a", keys["p256"].Public()))
	synctest.Test(t, func(t *testing.T) {
		remote := server.remote()
		get := func(kid string) (*KeySet, error) { return remote.Keys(t.Context(), server.URL, kid) }
		_, err := get("a")
		require.NoError(t, err)
		time.Sleep(59 * time.Minute)
		_, err = get("a")
		require.NoError(t, err)
		require.EqualValues(t, 1, server.hits.Load(), "a known kid is served from the copy for an hour")

		server.body.Store(nil)
		time.Sleep(2 * time.Minute)
		for range 100 {
			set, err := get("a")
			require.NoError(t, err)
			require.Equal(t, 1, set.Len())
		}
		require.EqualValues(t, 2, server.hits.Load(), "one failure is not followed by a hundred")
		server.set([]byte("<html>")) // an answer that is no key set is a failure too
		time.Sleep(time.Hour)
		_, err = get("a")
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		_, err = get("a")
		require.Error(t, err, "a set that cannot be renewed for a day is dead")

		server.set(jwksOf())
		time.Sleep(time.Minute)
		set, err := get("a")
		require.NoError(t, err, "and comes back to life")
		require.Zero(t, set.Len())
	})
}

// Holds: RFC 8725 section 3.10.
func TestRemoteKeys_AFailingURLCoolsDownAndRefusesNothingElse(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t)
	server.body.Store(nil)
	synctest.Test(t, func(t *testing.T) {
		remote := server.remote()
		j, _ := clientVerifier(t, nil, ClientCredentials{Method: methodPrivateKeyJWT, Keys: remote.URL(server.URL)})
		for range 50 {
			a, err := j.Verify(t.Context(), clientOf(signGrant(t, clientClaims())))
			requireRefused(t, "invalid_client", ReasonKey, a, err)
		}
		require.EqualValues(t, 1, server.hits.Load())
		time.Sleep(30 * time.Second)
		_, err := remote.Keys(t.Context(), server.URL, "")
		require.Error(t, err)
		require.EqualValues(t, 2, server.hits.Load())
	})
}

// Holds: RFC 8725 section 3.10.
func TestRemoteKeys_TheNumberOfSetsIsBounded(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t)
	remote := server.remote()
	remote.MaxURLs = 3
	for i := range 20 {
		_, err := remote.Keys(t.Context(), fmt.Sprintf("%s/%d", server.URL, i), "")
		require.NoError(t, err)
		_, err = remote.Keys(t.Context(), server.URL+"/0", "") // used all the time, and so kept
		require.NoError(t, err)
	}
	require.Len(t, remote.sets, 3)
	require.EqualValues(t, 20, server.hits.Load())
}
