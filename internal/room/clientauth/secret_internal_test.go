package clientauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Once the server has seen a slow hash, every failure that tried a secret does the
// work of exactly one comparison, whatever its reason is. Here all places for the work
// are taken, so a caller that would compare waits until its deadline.
//
// Holds: RFC 6749 section 5.2.
func TestSlowHash_EveryFailurePays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 2 * time.Second
		room := &Room{
			Clients: memstore.View(slowClients(t)),
			Methods: []string{storage.AuthClientSecretBasic, storage.AuthClientSecretPost, storage.AuthNone},
			Limit:   frame.Limit{Limiter: limit.NewMemory(nil)},
		}
		try := func(id, secret string) (waited time.Duration, err error) {
			req := httptest.NewRequest(http.MethodPost, "/token", nil)
			req.SetBasicAuth(id, secret)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			_, _, err = room.Authenticate(ctx, &seam.Call{Request: req, Form: url.Values{}, Now: start})
			return time.Since(start), err
		}

		_, err := try("slow", "wrong") // the first slow hash that is seen
		require.Error(t, err)
		taken := make(chan struct{}) // every comparison waits here for ever
		room.slow.decoy = taken
		room.slow.senders["192.0.2.1"] = &sender{places: taken, users: 1}
		for _, id := range []string{"slow", "off", "post", "quick", "quickoff", "expired", "public", "unknown"} {
			waited, err := try(id, "wrong")
			require.Error(t, err, id)
			require.Equal(t, timeout, waited, id)
			waited, err = try(id, "")
			require.Error(t, err, id)
			require.Zero(t, waited, id)
		}
	})
}

// slowClients returns clients whose authentication fails for different reasons.
func slowClients(t *testing.T) *memstore.Store {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("hunter2"), bcrypt.MinCost)
	require.NoError(t, err)
	slow := []storage.Secret{{Hash: string(hash)}}
	quick := []storage.Secret{storage.HashSecret("generated")}
	store := memstore.New()
	for _, c := range []storage.Client{
		{ID: "slow", Secrets: slow},
		{ID: "off", Secrets: slow, Disabled: true},
		{ID: "post", Secrets: slow, AuthMethod: storage.AuthClientSecretPost},
		{ID: "quick", Secrets: quick},
		{ID: "quickoff", Secrets: quick, Disabled: true},
		{ID: "expired", Secrets: []storage.Secret{{Hash: string(hash), ExpiresAt: time.Now()}}},
		{ID: "public", AuthMethod: storage.AuthNone},
	} {
		c.GrantTypes = []string{"password"}
		require.NoError(t, store.PutClient(t.Context(), c))
	}

	return store
}

// comparisons counts those that succeeded, by the name that each was started with.
type comparisons struct {
	ended map[string]int
	mu    sync.Mutex
}

func (c *comparisons) start(compare func() error, name string) {
	go func() {
		err := compare()
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.ended[name]++
		}
	}()
}

// Many callers at one address, and many with failures that pay for a comparison, never
// keep another caller from comparing.
func TestSlowHash_NoCallerTakesAllPlaces(t *testing.T) {
	t.Parallel()
	const hash = "$pbkdf2-sha256$i=1,l=32$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	synctest.Test(t, func(t *testing.T) {
		var h slowHash
		h.learn(hash)
		h.prepare()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		// The address has all its places in use, and the failures theirs.
		s := h.sender("192.0.2.1")
		for range cap(s.places) {
			s.places <- struct{}{}
			h.places <- struct{}{}
		}
		h.decoy <- struct{}{}
		require.Less(t, len(h.places), cap(h.places))

		c := comparisons{ended: map[string]int{}}
		for range 100 {
			c.start(func() error { return h.pay(ctx, "x") }, "failure")
			c.start(func() error { _, err := h.compare(ctx, "192.0.2.1", hash, "x"); return err }, "same address")
		}
		for range 10 {
			c.start(func() error { _, err := h.compare(ctx, "192.0.2.2", hash, "x"); return err }, "other address")
		}
		synctest.Wait()
		require.Equal(t, map[string]int{"other address": 10}, c.ended)
		time.Sleep(time.Second) // the others give up at their deadline
		synctest.Wait()
		require.Equal(t, map[string]int{"other address": 10}, c.ended)

		h.forget("192.0.2.1", s)
		require.Empty(t, h.senders, "an address without comparisons is kept")
	})
}
