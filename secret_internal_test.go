package grantwell

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Once a slow hash is known, every failure that tried a secret does the work of exactly one comparison, whatever the reason: the
// gate before the work is shut here, so that who would compare waits until the deadline.
// Holds S8, R92, V196.
func TestSlowHash_EveryFailurePays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hash, err := bcrypt.GenerateFromPassword([]byte("hunter2"), bcrypt.MinCost)
		require.NoError(t, err)
		slow, quick := []storage.Secret{{Hash: string(hash)}}, []storage.Secret{storage.HashSecret("generated")}
		store := memstore.New()
		expired := []storage.Secret{{Hash: string(hash), ExpiresAt: time.Now()}}
		for _, c := range []storage.Client{{ID: "slow", Secrets: slow}, {ID: "off", Secrets: slow, Disabled: true}, {ID: "post", Secrets: slow, AuthMethod: storage.AuthClientSecretPost},
			{ID: "quick", Secrets: quick}, {ID: "quickoff", Secrets: quick, Disabled: true}, {ID: "expired", Secrets: expired}, {ID: "public", AuthMethod: storage.AuthNone}} {
			c.GrantTypes = []string{"password"}
			require.NoError(t, store.PutClient(t.Context(), c))
		}
		s, err := New(Config{Issuer: "https://as.example", Clients: store, Grants: []grants.Handler{grants.ClientCredentials{}}})
		require.NoError(t, err)
		try := func(id, secret string) (waited time.Duration, status int) {
			req := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type=client_credentials"))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBasicAuth(id, secret)
			w, start := httptest.NewRecorder(), time.Now()
			s.TokenHandler().ServeHTTP(w, req)
			return time.Since(start), w.Code
		}
		_, status := try("slow", "wrong") // the first slow hash that is seen
		require.Equal(t, 401, status)
		shut := make(chan struct{}) // nobody receives: every comparison waits here
		s.slow.gate.Store(&shut)
		for _, id := range []string{"slow", "off", "post", "quick", "quickoff", "expired", "public", "nobody"} {
			waited, _ := try(id, "wrong")
			require.Equal(t, s.cfg.Timeout, waited, id)
			waited, status = try(id, "")
			require.Zero(t, waited, id)
			require.Equal(t, 401, status)
		}
	})
}
