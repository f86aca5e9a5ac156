package introspecttest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/introspect/introspecttest"
)

// status sends a request through a guard and returns the status of the answer.
func status(guard introspect.Guard, r *http.Request) int {
	w := httptest.NewRecorder()
	done := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	guard.Require("read")(http.HandlerFunc(done)).ServeHTTP(w, r)
	return w.Code
}

func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

func TestIntrospector_TheGuardJudgesItsTokens(t *testing.T) {
	t.Parallel()
	tokens := &introspecttest.Introspector{Audience: []string{api}}
	guard := introspect.Guard{Introspector: tokens, Audience: []string{api}}
	for name, c := range map[string]struct {
		token introspect.Token
		want  int
	}{
		"live":             {introspect.Token{Scope: []string{"read"}}, 204},
		"expired":          {introspect.Token{Scope: []string{"read"}, ExpiresAt: time.Now().Add(-time.Second)}, 401},
		"another audience": {introspect.Token{Scope: []string{"read"}, Audience: []string{"https://other.example"}}, 401},
		"no scope":         {introspect.Token{}, 403},
		"revoked":          {introspect.Token{Scope: []string{"read"}, Reason: introspect.ReasonRevoked}, 401},
		"refresh token":    {introspect.Token{Scope: []string{"read"}, TokenType: "refresh_token"}, 401},
		"bound to a key":   {introspect.Token{Scope: []string{"read"}, Confirmation: map[string]string{"jkt": "x"}}, 401},
	} {
		r := request()
		tokens.Authorize(r, c.token)
		require.Equal(t, c.want, status(guard, r), name)
	}
	require.Equal(t, 401, status(guard, request()), "no token")
	unknown := request()
	unknown.Header.Set("Authorization", "Bearer introspecttest-0")
	require.Equal(t, 401, status(guard, unknown))
}

func TestIntrospector_ARevokedTokenIsRefused(t *testing.T) {
	t.Parallel()
	tokens := &introspecttest.Introspector{}
	guard := introspect.Guard{Introspector: tokens, AnyAudience: true}
	r := request()
	token := tokens.Authorize(r, introspect.Token{Scope: []string{"read"}})
	require.Equal(t, 204, status(guard, r))
	tokens.Revoke(token)
	tokens.Revoke("another")
	require.Equal(t, 401, status(guard, r))
}

func TestIntrospector_ErrIsAnUnavailableServer(t *testing.T) {
	t.Parallel()
	tokens := &introspecttest.Introspector{Err: errors.New("down")}
	r := request()
	tokens.Authorize(r, introspect.Token{Scope: []string{"read"}})
	require.Equal(t, 503, status(introspect.Guard{Introspector: tokens, AnyAudience: true}, r))
}

func TestIntrospector_DPoPTokensHaveTheirScheme(t *testing.T) {
	t.Parallel()
	tokens := &introspecttest.Introspector{}
	r := request()
	tokens.Authorize(r, introspect.Token{TokenType: "DPoP", Scope: []string{"read"}, Confirmation: map[string]string{"jkt": "x"}})
	require.True(t, strings.HasPrefix(r.Header.Get("Authorization"), "DPoP "))
	guard := introspect.Guard{
		Introspector: tokens,
		AnyAudience:  true,
		Lookup:       introspect.Lookup{Schemes: []string{"DPoP"}},
		Confirm:      func(*http.Request, *introspect.Token) error { return nil },
	}
	require.Equal(t, 204, status(guard, r))
}

func TestIntrospector_CallersShareNothing(t *testing.T) {
	t.Parallel()
	tokens := &introspecttest.Introspector{}
	scope := []string{"read"}
	token := tokens.Mint(introspect.Token{Scope: scope, Extra: map[string]any{"a": 1}})
	scope[0] = "admin"
	first, err := tokens.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, first.Scope)
	first.Scope[0] = "admin"
	delete(first.Extra, "a")
	second, err := tokens.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, second.Scope)
	require.Len(t, second.Extra, 1)
}
