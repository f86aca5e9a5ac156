package backchannel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// asked is a store that has every origin, and counts how often it is asked.
type asked struct {
	storage.Clients
	calls int
}

// HasOrigin implements storage.OriginFinder.
func (a *asked) HasOrigin(context.Context, string) (bool, error) {
	a.calls++
	return true, nil
}

// The store is not asked about an origin of more than 255 bytes, which no client can
// have.
//
// Holds: house: bounded parameters.
func TestCORS_OriginIsBounded(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{255: 1, 256: 0, 10_000: 0} {
		r := newRig()
		store := &asked{Clients: finder{}}
		r.Clients = store
		req := httptest.NewRequest(http.MethodOptions, "/token", nil)
		req.Header.Set("Origin", "https://"+strings.Repeat("a", n-len("https://")))
		req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		w := r.serve(seam.Endpoint{}, req)
		require.Equal(t, want, store.calls, n)
		require.Equal(t, want == 1, w.Header().Get("Access-Control-Allow-Origin") != "", n)
	}
}

// A query may be as long as a body, and a body that says that it is longer is not read.
//
// Holds: house: bounded body.
func TestParse_BoundIsInclusive(t *testing.T) {
	t.Parallel()
	long := "a=" + strings.Repeat("x", 1<<10)
	for n, status := range map[int]int{1 << 10: http.StatusOK, 1<<10 + 1: http.StatusRequestEntityTooLarge} {
		_, w, _ := parsed(t, seam.Endpoint{Get: true}, httptest.NewRequest(http.MethodGet, "/token?"+long[:n], nil))
		require.Equal(t, status, w.Code, "a query of %d bytes", n)
		_, w, _ = parsed(t, seam.Endpoint{}, form("/token", long[:n]))
		require.Equal(t, status, w.Code, "a body of %d bytes", n)
		require.Equal(t, status != http.StatusOK, w.Header().Get("Connection") == "close")
	}
}
