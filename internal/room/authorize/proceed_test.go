package authorize_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/consent"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A consent page that cannot be made is an error page, and no empty one.
//
// Holds: house: consent page.
func TestProceed_PageThatCannotBeMade(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	r.Live.Records = memstore.New()
	r.Live.Consents = &consent.Room{Clients: r.Live.Clients, Records: r.Live.Records}
	req := httptest.NewRequest(http.MethodGet, issuer+"/authorize?"+request().Encode(), nil)
	to := r.Parse(httptest.NewRecorder(), req)
	require.NotNil(t, to)

	w := httptest.NewRecorder()
	r.Proceed(w, req, authorize.Pages{
		User: func(*http.Request, *authorize.Request) (authorize.Session, bool) {
			return authorize.Session{Subject: "alice"}, true
		},
		Ask: func(http.ResponseWriter, *http.Request, *authorize.Question) error { return errors.New("no template") },
	}, to)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, w.Body.String(), "server_error")
	require.NotContains(t, w.Body.String(), "no template")
}
