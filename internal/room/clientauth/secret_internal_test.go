package clientauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/grants/limit"
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
			Limiter: limit.NewMemory(nil),
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
		room.slow.gate.Store(&taken)
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
