package fositegrant_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

const (
	urnExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantSecret = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"
	asService   = "service:" + grantSecret
)

// exchange is a handler for token exchange (RFC 8693) as a team writes it for fosite. A
// subject token is "token of <subject>".
type exchange struct {
	*oauth2.HandleHelper

	// see, if not nil, is called before the decision.
	see func(ctx context.Context, r fosite.AccessRequester)

	// refuse, if not nil, is the decision.
	refuse error

	// finish, if not nil, may change the decision.
	finish func(ctx context.Context, r fosite.AccessRequester)

	// populate makes the response. If nil, the helper does.
	populate func(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error
}

func (exchange) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(urnExchange)
}

func (exchange) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool {
	return false
}

func (e exchange) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if e.see != nil {
		e.see(ctx, r)
	}
	if e.refuse != nil {
		return e.refuse
	}
	token := r.GetRequestForm().Get("subject_token")
	subject, ok := strings.CutPrefix(token, "token of ")
	if !ok {
		return fosite.ErrInvalidGrant.WithHintf("The subject_token '%s' is unknown.", token)
	}

	for _, s := range r.GetRequestedScopes() {
		r.GrantScope(s)
	}
	session := r.GetSession().(*fosite.DefaultSession)
	session.Subject = subject
	session.GetExtraClaims()["act"] = map[string]any{"sub": r.GetClient().GetID()}
	session.SetExpiresAt(fosite.AccessToken, time.Now().Add(20*time.Minute))
	if e.finish != nil {
		e.finish(ctx, r)
	}
	return nil
}

func (e exchange) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	if e.populate != nil {
		return e.populate(ctx, r, w)
	}
	w.SetExtra("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
	_, err := e.IssueAccessToken(ctx, time.Hour, r, w)
	return err
}

// placeholders returns a HandleHelper that makes no tokens.
func placeholders(cfg *fosite.Config) *oauth2.HandleHelper {
	return &oauth2.HandleHelper{
		AccessTokenStrategy: fositegrant.Placeholder{},
		AccessTokenStorage:  fositegrant.Placeholder{},
		Config:              cfg,
	}
}

// asGrant returns an exchange as a grant.
func asGrant(t *testing.T, e exchange, o fositegrant.Options) grants.Handler {
	t.Helper()
	if e.HandleHelper == nil {
		e.HandleHelper = placeholders(&fosite.Config{})
	}
	o.GrantType = urnExchange
	g, err := fositegrant.New(e, o)
	require.NoError(t, err)
	return g
}

// grantHost is a Grantwell server with a few grants and the clients service and phone.
// phone is a public client.
type grantHost struct {
	*servertest.Server
	t     *testing.T
	store *memstore.Store
}

// newGrantHost starts a server with these grants and refresh tokens. change, if not nil,
// edits its configuration.
func newGrantHost(t *testing.T, change func(*grantwell.Config), handlers ...grants.Handler) *grantHost {
	t.Helper()
	h := &grantHost{t: t, store: memstore.New()}
	service := storage.Client{
		ID:      "service",
		Secrets: []storage.Secret{storage.HashSecret(grantSecret)},
		GrantTypes: []string{
			urnExchange, urnJWTBearer, "client_credentials", "password", "refresh_token",
		},
		Scope:        []string{"read", "write", "offline"},
		DefaultScope: []string{"read"},
		Audience:     []string{"https://api.example", "https://files.example"},
	}
	phone := service.Clone()
	phone.ID = "phone"
	phone.AuthMethod = storage.AuthNone
	phone.Secrets = nil
	phone.GrantTypes = []string{urnExchange, "password", "refresh_token"}
	service.Resources = service.Audience
	servertest.Register(t, h.store, service, phone)

	h.Server = servertest.On(t, h.store, func(cfg *grantwell.Config) {
		cfg.Grants = append([]grants.Handler{grants.RefreshToken{}}, handlers...)
		if change != nil {
			change(cfg)
		}
	})
	return h
}

// post sends a form. as is "id:secret" for Basic authentication, or empty. Any goroutine
// may call it.
func (h *grantHost) post(path, as string, pairs ...string) (status int, body map[string]any) {
	res := h.Post(path, as, pairs...)
	return res.Status, res.JSON
}

// exchange exchanges the token of a subject, as the client service.
func (h *grantHost) exchange(subject string, pairs ...string) (status int, body map[string]any) {
	form := []string{"grant_type", urnExchange, "subject_token", "token of " + subject}
	return h.post("/token", asService, append(form, pairs...)...)
}

// introspect returns what the client service sees of the access token in an answer.
func (h *grantHost) introspect(body map[string]any) map[string]any {
	_, seen := h.post("/introspect", asService, "token", body["access_token"].(string))
	return seen
}

// issued requires an answer with a token, and returns it.
func issued(t *testing.T, status int, body map[string]any) map[string]any {
	t.Helper()
	require.Equal(t, 200, status, "%v", body)
	require.NotEmpty(t, body["access_token"])
	return body
}

// refusedWith requires an error, and that nothing was stored.
func (h *grantHost) refusedWith(code string, wantStatus, status int, body map[string]any) {
	h.t.Helper()
	require.Equal(h.t, wantStatus, status, "%v", body)
	require.Equal(h.t, code, body["error"])
	require.NotContains(h.t, body, "access_token")
	require.Zero(h.t, h.store.Len(), "something was stored")
}

// reason returns why the last request was refused, as an operator sees it.
func (h *grantHost) reason() string {
	return h.LastEvent().Cause
}
