package introspect_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// bounded is a writer whose connection remembers until when a body may be read.
type bounded struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (b *bounded) SetReadDeadline(at time.Time) error {
	b.until = at
	return nil
}

// A form that may have the token ends after ten seconds. Bodies that the guard does not
// read are the handler's, and have no such end.
func TestGuard_FormEndsInTime(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, contentType, field string
		bounds                     bool
	}{
		"form":         {http.MethodPost, form + "; charset=utf-8", "access_token", true},
		"put":          {http.MethodPut, form, "access_token", true},
		"another type": {http.MethodPost, "application/json", "access_token", false},
		"no type":      {http.MethodPost, "", "access_token", false},
		"get":          {http.MethodGet, form, "access_token", false},
		"no field":     {http.MethodPost, form, "", false},
	} {
		g := introspect.Guard{Introspector: answers{}, Lookup: introspect.Lookup{FormField: c.field}, AnyAudience: true}
		req := httptest.NewRequest(c.method, "https://api.example/", strings.NewReader("access_token=abc"))
		req.Header.Set("Content-Type", c.contentType)
		w := &bounded{ResponseRecorder: httptest.NewRecorder()}
		g.Require()(http.NotFoundHandler()).ServeHTTP(w, req)
		require.Equal(t, c.bounds, !w.until.IsZero(), name)
		if c.bounds {
			require.WithinDuration(t, time.Now().Add(10*time.Second), w.until, 5*time.Second)
		}
	}
}
