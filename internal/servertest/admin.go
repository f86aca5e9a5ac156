package servertest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
)

// Admin is a server with its administration and the accounts of its users.
type Admin struct {
	*Server

	// AdminHandler is the administration.
	AdminHandler http.Handler

	// AccountHandler shows users what they granted.
	AccountHandler http.Handler
}

// NewAdmin builds a server with its administration. The name of a caller is
// the header X-Who, and every caller who has a name may do everything. change
// edits the configuration before the server is built; it may be nil.
func NewAdmin(t testing.TB, change func(*grantwell.Config)) *Admin {
	t.Helper()
	return administered(t, New(t, change))
}

// AdminOn is [NewAdmin] over a store that has its clients already.
func AdminOn(t testing.TB, store Store, change func(*grantwell.Config)) *Admin {
	t.Helper()
	return administered(t, On(t, store, change))
}

func administered(t testing.TB, s *Server) *Admin {
	t.Helper()
	a := &Admin{Server: s}

	var err error
	a.AdminHandler, err = a.AS.Admin(grantwell.AdminConfig{Authorize: CallerName})
	require.NoError(t, err)
	a.AccountHandler, err = a.AS.Account(grantwell.AccountConfig{Subject: CallerName})
	require.NoError(t, err)
	return a
}

// CallerName returns the header X-Who, or an error if there is none.
func CallerName(r *http.Request) (string, error) {
	name := r.Header.Get("X-Who")
	if name == "" {
		return "", errors.New("servertest: no caller is signed in")
	}
	return name, nil
}

// Admin sends a request to the administration as the administrator "root".
// headers are names and values in turn.
func (a *Admin) Admin(method, path, body string, headers ...string) Reply {
	headers = append([]string{"X-Who", "root"}, headers...)
	return SendJSON(a.AdminHandler, method, path, body, headers...)
}

// Account sends a request to a user's own account.
func (a *Admin) Account(subject, method, path string) Reply {
	return SendJSON(a.AccountHandler, method, path, "", "X-Who", subject)
}

// SendJSON serves a request with a JSON body by a handler. headers are names
// and values in turn.
func SendJSON(h http.Handler, method, path, body string, headers ...string) Reply {
	req := httptest.NewRequest(method, target(path), strings.NewReader(body))
	if method == http.MethodPost || method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return Serve(h, req)
}
