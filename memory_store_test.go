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
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// The store of the records may be another than that of the clients.
//
// Holds: house: memory by default.
func TestMemoryStore_RecordsMayLiveApart(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) { cfg.Records = memstore.New() })
	access, refresh := d.Family("conf")
	require.True(t, d.Live(access))
	require.Equal(t, 200, d.Revoke("conf", refresh).Status)
	require.False(t, d.Live(access))
	require.Empty(t, d.Records(storage.Query{}), "not the registry's store")
}

// scribble writes into everything that a client refers to.
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

// scribbler implements every interface of the host's that sees a client, and
// writes into each client that it gets.
type scribbler struct{ seen map[string]*atomic.Int32 }

// on counts a client that was given to a place, and writes into it.
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

func (s scribbler) Verify(
	_ context.Context, _ *http.Request, _ url.Values, c storage.Client,
) error {
	s.on("authenticator", c)
	return nil
}

func (scribbler) GrantType() string { return "urn:example:own" }

func (s scribbler) Handle(_ context.Context, r *grants.Request) (*grants.Grant, error) {
	subject := r.Client.ID
	s.on("grant", *r.Client)
	return nil, grants.InvalidGrant("not %s today", subject)
}

// embedding is a grant of this module inside a type of the host's.
type embedding struct {
	grants.RefreshToken
	s scribbler
}

func (e embedding) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	g, err := e.RefreshToken.Handle(ctx, r)
	e.s.on("embedding grant", *r.Client)
	return g, err
}

// clearing is a store that writes into the records that it is given.
type clearing struct{ storage.Records }

func (c clearing) Insert(ctx context.Context, recs ...storage.Record) error {
	err := c.Records.Insert(ctx, recs...)
	for _, r := range recs {
		clear(r.Audience)
	}
	return err
}

// The server reads clients in the memory store's own memory. No hook, handler,
// login or page of the host's can write there.
func TestMemoryStore_HostCannotWriteItsClients(t *testing.T) {
	t.Parallel()
	t.Run("scopes by the rules", func(t *testing.T) { hostWrites(t, false) })
	t.Run("scopes by the host", func(t *testing.T) { hostWrites(t, true) })
}

func hostWrites(t *testing.T, decide bool) {
	s := scribbler{map[string]*atomic.Int32{}}
	for _, where := range []string{"login", "authenticator", "grant", "embedding grant", "page",
		"Authorize", "Authorized", "Issue", "Issued", "MayIntrospect"} {
		s.seen[where] = new(atomic.Int32)
	}
	if decide {
		s.seen["Decide"] = new(atomic.Int32)
	}
	full := servertest.Clients()[0]
	full.GrantTypes = append(slices.Clone(full.GrantTypes), s.GrantType())
	full.DefaultScope = []string{"read"}
	full.Audience = []string{"https://api.example"}
	full.Resources = []string{"https://api.example"}
	full.Contacts = []string{"ops"}
	full.Origins = []string{servertest.Issuer}
	full.Metadata = map[string]string{"a": "b"}
	full.JWKS = []byte(`{"keys":[]}`)
	certified := storage.Client{
		ID:           "certified",
		AuthMethod:   storage.AuthTLS,
		GrantTypes:   []string{"client_credentials"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}

	l := servertest.New(t, func(cfg *grantwell.Config) {
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
		cfg.Hooks.BeforeAuthorize = func(_ context.Context, r *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
			s.on("Authorize", r.Client)
			return nil
		}
		cfg.Hooks.AfterAuthorize = func(_ context.Context, r *grantwell.AuthorizeRequest, _ grantwell.Approval) error {
			s.on("Authorized", r.Client)
			return nil
		}
		cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			s.on("Issue", i.Client)
			return nil
		}
		cfg.Hooks.AfterIssue = func(_ context.Context, i grantwell.Issuance) error {
			s.on("Issued", i.Client)
			clear(i.Audience)
			return nil
		}
		cfg.Events = func(_ context.Context, e grantwell.Event) { clear(e.Scope) }
	})
	want := []storage.Client{full, certified}
	for _, c := range want {
		require.NoError(t, l.Store.PutClient(t.Context(), c.Clone()))
	}
	l.Handle("/mine", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := l.AS.ParseAuthorize(w, r); ok {
			s.on("page", req.Client)
			clear(req.Scope)
			w.WriteHeader(http.StatusNoContent)
		}
	}))

	res := l.Redeem("conf", l.Code("conf"))
	require.Equal(t, 200, res.Status, res.Body)
	// A grant that breaks its contract and changes the client changes a copy. The
	// server issues by the client that it looked up itself.
	require.Equal(t, 200, l.Refresh("conf", res.String("refresh_token")).Status)
	require.Equal(t, 200, l.Post("/introspect", "", "certificate", "yes",
		"token", res.String("access_token")).Status)
	require.Equal(t, 200, l.Login("u", "p").Status)
	require.Equal(t, 200, l.ClientCredentials(servertest.Conf).Status)
	require.Equal(t, 200, l.ClientCredentials("", "certificate", "yes").Status)
	l.Post("/token", servertest.Conf, "grant_type", s.GrantType()).Fails(t, 400, "invalid_grant")
	require.Equal(t, 204, l.Do(httptest.NewRequest(http.MethodGet,
		"/mine?response_type=code&client_id=conf&redirect_uri="+
			url.QueryEscape(servertest.Redirect)+
			"&code_challenge="+servertest.Challenge+"&code_challenge_method=S256", nil)).Status)
	for where, n := range s.seen {
		require.NotZero(t, n.Load(), where)
	}
	for _, c := range want {
		stored, err := l.Store.Client(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, c, stored)
	}
}

// tenant is a store that embeds the memory store and has its own Client
// method.
type tenant struct{ *memstore.Store }

var errTenant = errors.New("not of this tenant")

func (tenant) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, errTenant
}

// For a store that embeds the memory store the server calls that store's own
// Client method.
func TestMemoryStore_EmbeddingTypeDecides(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Clients = tenant{cfg.Clients.(*memstore.Store)}
	})
	l.ClientCredentials(servertest.Conf).Fails(t, 503, "temporarily_unavailable")
}
