package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func newKey(t testing.TB) Key {
	t.Helper()
	k, err := GenerateKey(EdDSA)
	require.NoError(t, err)
	return k
}

// Each key is published before it signs and until its last token has expired, to
// the second.
//
// Holds: RFC 9068 section 4.
func TestRotation_PublishesBeforeUseAndUntilTheLastTokenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a, b, c := newKey(t), newKey(t), newKey(t)
		r := &Rotation{PublishAhead: 10 * time.Second, Keep: 30 * time.Second, Source: Schedule(
			ScheduledKey{c, start.Add(200 * time.Second)}, ScheduledKey{Key: a}, ScheduledKey{b, start.Add(100 * time.Second)})}
		for _, step := range []struct {
			at        int
			signs     Key
			published []Key
		}{
			{0, a, []Key{a}},
			{89, a, []Key{a}},
			{90, a, []Key{a, b}},
			{99, a, []Key{a, b}},
			{100, b, []Key{a, b}},
			{129, b, []Key{a, b}},
			{130, b, []Key{b}},
			{190, b, []Key{b, c}},
			{200, c, []Key{b, c}},
			{230, c, []Key{c}},
			{100000, c, []Key{c}},
		} {
			time.Sleep(time.Until(start.Add(time.Duration(step.at) * time.Second)))
			signs, err := r.Signing(t.Context())
			require.NoError(t, err)
			require.Equal(t, step.signs.ID, signs.ID, "at %d", step.at)
			published, err := r.Published(t.Context())
			require.NoError(t, err)
			require.Equal(t, ids(step.published), ids(published), "at %d", step.at)
		}
	})
}

func ids(keys []Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}

// growing is a source to which the host adds keys while the server runs.
type growing struct {
	mu   sync.Mutex
	keys []ScheduledKey
	err  error
	asks int
}

func (g *growing) ScheduledKeys(context.Context) ([]ScheduledKey, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asks++
	return slices.Clone(g.keys), g.err
}

func (g *growing) add(k ScheduledKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys = append(g.keys, k)
}

// The key changes every second for a minute, on three instances of which two read
// the source rarely. A token of any instance verifies on all of them, and with the
// JWK Set of each, from the start until it expires.
//
// Holds: RFC 9068 section 4; house: one key set; house: rotation under load.
func TestRotation_NoTokenFailsWhileKeysChange(t *testing.T) {
	t.Parallel()
	made := make([]Key, 70)
	for i := range made {
		made[i] = newKey(t)
	}
	synctest.Test(t, func(t *testing.T) {
		const life = 3 * time.Second
		start := time.Now()
		source := &growing{keys: []ScheduledKey{{Key: made[0]}}}
		for i := 1; i < 4; i++ {
			source.add(ScheduledKey{made[i], start.Add(time.Duration(i) * time.Second)})
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var wg sync.WaitGroup
		wg.Go(func() { // the host: each second, the key that will sign in four
			for i := 4; ctx.Err() == nil; i++ {
				source.add(ScheduledKey{made[i], start.Add(time.Duration(i) * time.Second)})
				time.Sleep(time.Second)
			}
		})
		var nodes [3]JWT
		for n := range nodes {
			r := &Rotation{Source: source, PublishAhead: 2 * time.Second, Keep: life, Refresh: time.Duration(n) * 700 * time.Millisecond}
			nodes[n] = JWT{Keys: r, Issuer: issuer}
		}
		var checked atomic.Int64
		verify := func(token string) {
			for _, node := range nodes {
				_, err := node.Verify(t.Context(), token)
				require.NoError(t, err)
				require.NoError(t, verifyWithJWKS(t, node.Keys, token))
				checked.Add(1)
			}
		}
		for worker := range 6 {
			wg.Go(func() {
				time.Sleep(time.Duration(worker) * 17 * time.Millisecond)
				for i := 0; ctx.Err() == nil; i++ {
					c := someClaims()
					c.ID = fmt.Sprint(worker, i)
					c.IssuedAt, c.ExpiresAt = time.Now(), time.Now().Add(life)
					token, err := nodes[(worker+i)%3].Mint(t.Context(), c)
					require.NoError(t, err)
					verify(token)
					wg.Go(func() { // again in its last moment
						time.Sleep(time.Until(c.ExpiresAt.Truncate(time.Second)) - time.Nanosecond)
						verify(token)
					})
					time.Sleep(250 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		require.Greater(t, checked.Load(), int64(6*200*3*2))
	})
}

// verifyWithJWKS is a resource server: it fetches the document and verifies with another implementation.
func verifyWithJWKS(t *testing.T, keys Keys, token string) error {
	w := httptest.NewRecorder()
	JWKSHandler(keys).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jwks", nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return err
	}
	found := set.Key(jws.Signatures[0].Header.KeyID)
	if len(found) != 1 {
		return errors.New("the kid is not in the JWK Set")
	}
	_, err = jws.Verify(found[0])
	return err
}

// Two instances that start at the same time agree, in whatever order the source
// lists the keys.
//
// Holds: house: one key set.
func TestRotation_InstancesAgreeWhateverTheOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	keys := []ScheduledKey{{newKey(t), now}, {newKey(t), now}, {newKey(t), now.Add(-time.Hour)}, {newKey(t), now}}
	reversed := slices.Clone(keys)
	slices.Reverse(reversed)
	one, two := &Rotation{Source: Schedule(keys...)}, &Rotation{Source: Schedule(reversed...), Refresh: time.Minute}
	a, err := one.Signing(t.Context())
	require.NoError(t, err)
	b, err := two.Signing(t.Context())
	require.NoError(t, err)
	require.Equal(t, a.ID, b.ID)
	first, err := PublicJWKS(t.Context(), one)
	require.NoError(t, err)
	second, err := PublicJWKS(t.Context(), two)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
}

// If the source fails, the last keys stay in use. It is asked at most once in
// Refresh.
func TestRotation_OutlivesAFailingSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &growing{err: errNoKeys}
		r := &Rotation{Source: source, Refresh: time.Minute}
		_, err := r.Signing(t.Context())
		require.ErrorIs(t, err, errNoKeys)
		source.err, source.keys = nil, []ScheduledKey{{Key: newKey(t)}}
		_, err = r.Signing(t.Context())
		require.NoError(t, err)
		source.err, source.asks = errNoKeys, 0
		for range 100 {
			time.Sleep(30 * time.Second)
			_, err = r.Signing(t.Context())
			require.NoError(t, err)
		}
		require.LessOrEqual(t, source.asks, 50)
		require.Positive(t, source.asks)
	})
}

func TestRotation_RefusesASetupThatCannotWork(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	public := Key{ID: k.ID, Algorithm: EdDSA, Public: k.Signer.Public()}
	for name, r := range map[string]*Rotation{
		"no source":        {},
		"negative":         {Source: Schedule(ScheduledKey{Key: k}), Keep: -1},
		"refresh too long": {Source: Schedule(ScheduledKey{Key: k}), Refresh: 24 * time.Hour},
		"no keys":          {Source: Schedule()},
		"all in future":    {Source: Schedule(ScheduledKey{k, time.Now().Add(time.Hour)})},
		"same id":          {Source: Schedule(ScheduledKey{Key: k}, ScheduledKey{public, time.Now()})},
		"cannot sign":      {Source: Schedule(ScheduledKey{Key: public})},
		"too many":         {Source: Schedule(make([]ScheduledKey, maxScheduled+1)...)},
	} {
		_, err := r.Signing(t.Context())
		require.ErrorContains(t, err, "tokens: ", name)
	}
	// An instance that only verifies publishes the keys of the others.
	published, err := (&Rotation{Source: Schedule(ScheduledKey{Key: public})}).Published(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{k.ID}, ids(published))
}
