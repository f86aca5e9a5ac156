package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// refusedFor sends a request and requires that its event has the reason.
type refusedFor struct {
	want   grants.Reason
	change func(*grantwell.Config)
	send   func(s *servertest.Server)
}

// post returns a request to an endpoint.
func post(path, as string, pairs ...string) func(*servertest.Server) {
	return func(s *servertest.Server) { s.Post(path, as, pairs...) }
}

// ask returns an authorization request.
func ask(pairs ...string) func(*servertest.Server) {
	return func(s *servertest.Server) { s.Authorize(s.Approval, pairs...) }
}

// requestReasons are refusals of the request as such and of its client.
func requestReasons() map[string]refusedFor {
	return map[string]refusedFor{
		"a GET at the token endpoint": {grants.ReasonMethod, nil, func(s *servertest.Server) { s.Get("/token") }},
		"plain HTTP": {grants.ReasonTLS, func(cfg *grantwell.Config) { cfg.RequireTLS = true }, func(s *servertest.Server) {
			req := servertest.Request("/token", servertest.Conf, "grant_type=client_credentials")
			req.TLS = nil
			s.Do(req)
		}},
		"a parameter twice": {grants.ReasonMalformed, nil, post("/token", servertest.Conf, "scope", "a", "scope", "b")},
		"JSON": {grants.ReasonMalformed, nil, func(s *servertest.Server) {
			req := servertest.Request("/token", servertest.Conf, "{}")
			req.Header.Set("Content-Type", "application/json")
			s.Do(req)
		}},
		"a large body":         {grants.ReasonTooLarge, nil, post("/token", servertest.Conf, "x", string(make([]byte, 70<<10)))},
		"a secret in the URL":  {grants.ReasonInURL, nil, post("/token?client_secret=x", "")},
		"no grant type":        {grants.ReasonParameter, nil, post("/token", servertest.Conf)},
		"a code is missing":    {grants.ReasonParameter, nil, post("/token", servertest.Conf, "grant_type", "authorization_code")},
		"no client":            {grants.ReasonNoCredentials, nil, post("/token", "", "grant_type", "client_credentials")},
		"an unknown client":    {grants.ReasonClientUnknown, nil, post("/token", "who:x", "grant_type", "client_credentials")},
		"a wrong secret":       {grants.ReasonClientSecret, nil, post("/token", "conf:x", "grant_type", "client_credentials")},
		"another method":       {grants.ReasonClientMethod, nil, post("/token", "", "client_id", "conf", "client_secret", servertest.Secret)},
		"two kinds of secrets": {grants.ReasonCredentials, nil, post("/token", servertest.Conf, "client_secret", servertest.Secret)},
		"a disabled client": {grants.ReasonClientDisabled, nil, func(s *servertest.Server) {
			s.ChangeClient("conf", func(c *storage.Client) { c.Disabled = true })
			s.ClientCredentials(servertest.Conf)
		}},
		"an unregistered grant": {grants.ReasonClientRegistration, nil, post("/token", "", "client_id", "public", "grant_type", "client_credentials")},
		"an unknown grant":      {grants.ReasonGrantType, nil, post("/token", servertest.Conf, "grant_type", "urn:x")},
		"too many guesses": {grants.ReasonLimit, nil, func(s *servertest.Server) {
			for range 11 {
				s.Login("johndoe", "wrong")
			}
		}},
	}
}

// authorizeReasons are refusals of authorization requests.
func authorizeReasons() map[string]refusedFor {
	return map[string]refusedFor{
		"no such client":        {grants.ReasonClientUnknown, nil, ask("client_id", "who")},
		"another redirect URI":  {grants.ReasonRedirectURI, nil, ask("redirect_uri", "https://evil.example/")},
		"unknown response type": {grants.ReasonResponseType, nil, ask("response_type", "id_token")},
		"unknown response mode": {grants.ReasonResponseMode, nil, ask("response_mode", "web_message")},
		"a token in the query":  {grants.ReasonResponseMode, nil, ask("response_type", "token", "response_mode", "query")},
		"a malformed challenge": {grants.ReasonChallenge, nil, ask("code_challenge", "x")},
		"a request object":      {grants.ReasonRequestObject, nil, ask("request", "e30.e30.")},
		"an unknown scope":      {grants.ReasonScope, nil, ask("scope", "admin")},
		"an unknown resource":   {grants.ReasonAudience, nil, ask("resource", "https://other.example")},
		"not pushed": {grants.ReasonNotPushed, nil, func(s *servertest.Server) {
			s.ChangeClient("conf", func(c *storage.Client) { c.RequirePushed = true })
			s.Authorize(s.Approval)
		}},
		"the user is a client": {grants.ReasonSubjectIsClient, nil, func(s *servertest.Server) {
			s.Authorize(grantwell.Approval{Subject: "conf"})
		}},
		"a disabled user": {grants.ReasonSubjectDisabled, func(cfg *grantwell.Config) {
			cfg.SubjectActive = func(context.Context, string) (bool, error) { return false, nil }
		}, ask()},
		"the user said no": {grants.ReasonDenied, nil, func(s *servertest.Server) {
			s.Handle("/deny", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if req, ok := s.AS.ParseAuthorize(w, r); ok {
					s.AS.Deny(w, r, req)
				}
			}))
			s.Get("/deny?" + servertest.AuthorizeQuery().Encode())
		}},
		"answered twice": {grants.ReasonAnswered, nil, func(s *servertest.Server) {
			s.Handle("/twice", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if req, ok := s.AS.ParseAuthorize(w, r); ok {
					s.AS.Approve(httptest.NewRecorder(), r, req, s.Approval)
					s.AS.Approve(w, r, req, s.Approval)
				}
			}))
			s.Get("/twice?" + servertest.AuthorizeQuery().Encode())
		}},
		"an unknown interaction": {grants.ReasonInteraction, nil, func(s *servertest.Server) {
			s.AS.Resume(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://as.example/consent?interaction=x", nil))
		}},
	}
}

// grantReasons are refusals of codes, refresh tokens and passwords.
func grantReasons() map[string]refusedFor {
	later := func(d time.Duration, begin func(s *servertest.Server) (then func())) func(*servertest.Server) {
		return func(s *servertest.Server) {
			then := begin(s)
			time.Sleep(d)
			then()
		}
	}

	return map[string]refusedFor{
		"an unknown code": {grants.ReasonCodeUnknown, nil, func(s *servertest.Server) { s.Redeem("conf", "x") }},
		"the code of another": {grants.ReasonCodeClient, nil, func(s *servertest.Server) {
			s.Redeem("other", s.Code("conf"))
		}},
		"a code again": {grants.ReasonCodeSpent, nil, func(s *servertest.Server) {
			code := s.Code("conf")
			s.Redeem("conf", code)
			s.Redeem("conf", code)
		}},
		"a revoked code": {grants.ReasonCodeRevoked, nil, func(s *servertest.Server) {
			code := s.Code("conf")
			rec, err := s.Store.Get(context.Background(), storage.Code, storage.Key(code))
			if err == nil {
				err = s.AS.RevokeGrant(context.Background(), rec.GrantID)
			}
			if err == nil {
				s.Redeem("conf", code)
			}
		}},
		"an old code": {grants.ReasonCodeExpired, nil, later(2*time.Minute, func(s *servertest.Server) func() {
			code := s.Code("conf")
			return func() { s.Redeem("conf", code) }
		})},
		"another redirect URI": {grants.ReasonRedirectURI, nil, func(s *servertest.Server) {
			s.Redeem("conf", s.Code("conf"), "redirect_uri", "https://app.example/other")
		}},
		"another verifier": {grants.ReasonCodeVerifier, nil, func(s *servertest.Server) {
			s.Redeem("conf", s.Code("conf"), "code_verifier", servertest.Challenge)
		}},
		"the client's tokens ended": {grants.ReasonClientEnded, nil, later(time.Second, func(s *servertest.Server) func() {
			code := s.Code("conf")
			return func() {
				s.ChangeClient("conf", func(c *storage.Client) { c.TokensNotBefore = time.Now() })
				s.Redeem("conf", code)
			}
		})},
		"an unknown refresh token": {grants.ReasonRefreshUnknown, nil, func(s *servertest.Server) { s.Refresh("conf", "x") }},
		"the token of another": {grants.ReasonRefreshClient, nil, func(s *servertest.Server) {
			_, token := s.Family("conf")
			s.Refresh("other", token)
		}},
		"a refresh token again": {grants.ReasonRefreshReused, nil, func(s *servertest.Server) {
			_, token := s.Family("conf")
			s.Refresh("conf", token)
			s.Refresh("conf", token)
		}},
		"a revoked refresh token": {grants.ReasonRefreshRevoked, nil, func(s *servertest.Server) {
			_, token := s.Family("conf")
			s.Revoke("conf", token)
			s.Refresh("conf", token)
		}},
		"an old refresh token": {grants.ReasonRefreshExpired, nil, later(31*24*time.Hour, func(s *servertest.Server) func() {
			_, token := s.Family("conf")
			return func() { s.Refresh("conf", token) }
		})},
		"more scope": {grants.ReasonScope, nil, func(s *servertest.Server) {
			_, token := s.Family("conf")
			s.Refresh("conf", token, "scope", "read write admin")
		}},
		"a wrong password": {grants.ReasonPassword, nil, func(s *servertest.Server) { s.Login("johndoe", "x") }},
		"a withdrawn consent": {grants.ReasonConsent, nil, func(s *servertest.Server) {
			res := s.Authorize(grantwell.Approval{Subject: "alice", Remember: true})
			if err := s.AS.RevokeConsent(context.Background(), "conf", "alice"); err == nil {
				s.Redeem("conf", res.Param("code"))
			}
		}},
		"the token of another, revoked": {grants.ReasonTokenClient, nil, func(s *servertest.Server) {
			access, _ := s.Family("conf")
			s.Revoke("other", access)
		}},
	}
}

// serverReasons are failures of the server and of the host's functions.
func serverReasons() map[string]refusedFor {
	issuing := func(err error) func(*grantwell.Config) {
		return func(cfg *grantwell.Config) {
			cfg.Hooks.BeforeIssue = func(context.Context, *grantwell.Issuance) error { return err }
		}
	}
	token := post("/token", servertest.Conf, "grant_type", "client_credentials")

	return map[string]refusedFor{
		"a hook denies":         {grants.ReasonDenied, issuing(grantwell.AccessDenied("No.")), token},
		"a hook's own error":    {grants.ReasonHost, issuing(&grantwell.Error{Code: "made_up", Description: "No."}), token},
		"a hook fails":          {grants.ReasonInternal, issuing(errors.New("x")), token},
		"a hook is unavailable": {grants.ReasonUnavailable, issuing(grantwell.Unavailable(errors.New("x"))), token},
		"a hook panics": {grants.ReasonInternal, func(cfg *grantwell.Config) {
			cfg.Hooks.BeforeIssue = func(context.Context, *grantwell.Issuance) error { panic("x") }
		}, token},
		"a store fails": {grants.ReasonUnavailable, func(cfg *grantwell.Config) {
			servertest.HookRecords(cfg).Fail(errors.New(servertest.StoreFault))
		}, token},
		"a hook takes too long": {grants.ReasonTimeout, func(cfg *grantwell.Config) {
			cfg.Hooks.BeforeIssue = func(ctx context.Context, _ *grantwell.Issuance) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, token},
	}
}

// The most important refusals have the reason of their cause: operators count by it.
func TestReasons_OfTheMostImportantRefusals(t *testing.T) {
	t.Parallel()
	for _, table := range []map[string]refusedFor{requestReasons(), authorizeReasons(), grantReasons(), serverReasons()} {
		for name, c := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := servertest.New(t, c.change)
					c.send(s)
					e := s.LastEvent()
					require.Equal(t, c.want, e.Reason, "%+v", e)
					require.NotEqual(t, "ok", e.Outcome)
					require.NotEmpty(t, e.Cause)
				})
			})
		}
	}
}
