package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// scribble writes into all that a client refers to.
func scribble(c storage.Client) {
	v := reflect.ValueOf(c)
	for _, field := range reflect.VisibleFields(v.Type()) {
		switch f := v.FieldByIndex(field.Index); f.Kind() {
		case reflect.Slice:
			for j := range f.Len() {
				f.Index(j).Set(reflect.New(f.Type().Elem()).Elem())
			}
		case reflect.Map:
			if !f.IsNil() {
				f.SetMapIndex(reflect.ValueOf("scribbled"), reflect.ValueOf("yes"))
			}
		}
	}
}

// scribbler is everything of a host's that sees a client.
type scribbler struct{ seen map[string]*atomic.Int32 }

func (s scribbler) on(where string, c storage.Client) {
	s.seen[where].Add(1)
	scribble(c)
}

func (s scribbler) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	s.on("login", l.Client)
	return grants.User{Subject: "alice"}, nil
}

func (scribbler) Methods() []string { return []string{storage.AuthTLS} }

func (scribbler) Presented(_ *http.Request, form url.Values) (string, bool) {
	return "certified", form.Get("certificate") != ""
}

func (s scribbler) Verify(_ context.Context, _ *http.Request, _ url.Values, c storage.Client) error {
	s.on("authenticator", c)
	return nil
}

func (scribbler) GrantType() string { return "urn:example:own" }

func (s scribbler) Handle(_ context.Context, r *grants.Request) (*grants.Grant, error) {
	subject := r.Client.ID
	s.on("grant", r.Client)
	return nil, grants.InvalidGrant("not %s today", subject)
}

// embedding is one of our grants with a part of the host's.
type embedding struct {
	grants.RefreshToken
	s scribbler
}

func (e embedding) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	g, err := e.RefreshToken.Handle(ctx, r)
	e.s.on("embedding grant", r.Client)
	return g, err
}

// clearing is a store of records that writes into what it was given.
type clearing struct{ storage.Records }

func (c clearing) Insert(ctx context.Context, recs ...storage.Record) error {
	err := c.Records.Insert(ctx, recs...)
	for _, r := range recs {
		clear(r.Audience)
	}
	return err
}

// The memory store's clients are read where they lie, and no hook, handler, login or page of a host's can write there.
func TestClient_NobodyReachesTheStores(t *testing.T) {
	t.Parallel()
	t.Run("scopes by the rules", func(t *testing.T) { nobodyReaches(t, false) })
	t.Run("scopes by the host", func(t *testing.T) { nobodyReaches(t, true) })
}

func nobodyReaches(t *testing.T, decide bool) {
	s := scribbler{map[string]*atomic.Int32{}}
	for _, where := range []string{"login", "authenticator", "grant", "embedding grant", "page", "Authorize", "Authorized", "Issue", "Issued", "MayIntrospect"} {
		s.seen[where] = new(atomic.Int32)
	}
	if decide {
		s.seen["Decide"] = new(atomic.Int32)
	}
	full := testClients()[0]
	full.GrantTypes = append(slices.Clone(full.GrantTypes), s.GrantType())
	full.DefaultScope, full.Audience, full.Resources, full.Contacts = []string{"read"}, []string{"https://api.example"}, []string{"https://api.example"}, []string{"ops"}
	full.Origins, full.Metadata, full.JWKS = []string{origin}, map[string]string{"a": "b"}, []byte(`{"keys":[]}`)
	certified := storage.Client{ID: "certified", AuthMethod: storage.AuthTLS, GrantTypes: []string{"client_credentials"}, Scope: []string{"read"}, DefaultScope: []string{"read"}}

	l := newLocal(t, func(cfg *grantwell.Config) {
		cfg.Records = clearing{cfg.Records}
		cfg.Grants[2], cfg.Grants[4] = grants.Password{Authenticator: s}, embedding{s: s}
		cfg.Grants = append(cfg.Grants, s)
		cfg.ClientAuth = []grantwell.ClientAuthenticator{s}
		if decide {
			cfg.Scopes.Decide = func(_ context.Context, r grantwell.ScopeRequest) ([]string, error) {
				s.on("Decide", r.Client)
				return r.Allowed, nil
			}
		}
		cfg.MayIntrospect = func(_ context.Context, c storage.Client, _ *introspect.Token) bool {
			s.on("MayIntrospect", c)
			return false
		}
		cfg.Hooks.Authorize = func(_ context.Context, r *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
			s.on("Authorize", r.Client)
			return nil
		}
		cfg.Hooks.Authorized = func(_ context.Context, r *grantwell.AuthorizeRequest, _ grantwell.Approval) error {
			s.on("Authorized", r.Client)
			return nil
		}
		cfg.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error { s.on("Issue", i.Client); return nil }
		cfg.Hooks.Issued = func(_ context.Context, i grantwell.Issue) error {
			s.on("Issued", i.Client)
			clear(i.Audience)
			return nil
		}
		cfg.Events = func(_ context.Context, e grantwell.Event) { clear(e.Scope) }
	})
	want := []storage.Client{full, certified}
	for _, c := range want {
		require.NoError(t, l.store.PutClient(t.Context(), c.Clone()))
	}
	l.mux.HandleFunc("/mine", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := l.srv.ParseAuthorize(w, r); ok {
			s.on("page", req.Client)
			clear(req.Scope)
			w.WriteHeader(http.StatusNoContent)
		}
	})

	res := l.exchange(l.code("conf"))
	require.Equal(t, 200, res.status, res.body)
	// A grant that breaks its contract and changes the client harms its own request.
	require.Equal(t, 400, l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", res.str("refresh_token")).status)
	require.Equal(t, 200, l.post("/introspect", "", "certificate", "yes", "token", res.str("access_token")).status)
	require.Equal(t, 200, l.post("/token", conf, "grant_type", "password", "username", "u", "password", "p").status)
	require.Equal(t, 200, l.post("/token", conf, "grant_type", "client_credentials").status)
	require.Equal(t, 200, l.post("/token", "", "grant_type", "client_credentials", "certificate", "yes").status)
	l.post("/token", conf, "grant_type", s.GrantType()).fails(t, 400, "invalid_grant")
	require.Equal(t, 204, l.do(httptest.NewRequest(http.MethodGet, "/mine?response_type=code&client_id=conf&redirect_uri="+url.QueryEscape(redirect)+
		"&code_challenge="+challenge+"&code_challenge_method=S256", nil)).status)
	for where, n := range s.seen {
		require.NotZero(t, n.Load(), where)
	}
	for _, c := range want {
		stored, err := l.store.Client(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, c, stored)
	}
}

// tenant is a store that embeds ours and decides for itself who is a client.
type tenant struct{ *memstore.Store }

var errTenant = errors.New("not of this tenant")

func (tenant) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, errTenant
}

// A store that embeds the memory store is asked by its own method.
func TestClient_OfAnEmbeddingStore(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(cfg *grantwell.Config) { cfg.Clients = tenant{cfg.Clients.(*memstore.Store)} })
	l.post("/token", conf, "grant_type", "client_credentials").fails(t, 503, "temporarily_unavailable")
}
