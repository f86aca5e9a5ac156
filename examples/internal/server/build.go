package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/tokens"
)

// scopes are the scopes that the demo clients may ask for. The last two look like
// those in the samples of other vendors.
var scopes = []grantwell.Scope{
	{Name: "resource.READ", Description: "Read your resources", Public: true},
	{Name: "resource.WRITE", Description: "Change your resources", Public: true},
	{
		Name:        "https://localhost:8090/auth/userinfo.email",
		Description: "Access and change your email contacts",
	},
	{Name: "https://localhost:8090/auth/user.photos", Description: "See your photos"},
}

// app is the authorization server and what the host adds to it.
type app struct {
	srv      *grantwell.Server
	store    Store
	users    users
	sessions *sessions
	mux      *http.ServeMux

	demo      demo.File
	par       string // path of the endpoint for pushed authorization requests
	protected string // path of the protected resource
}

// build makes the whole server. A host does the same: it brings a store, its users,
// its keys and a mux.
func build(ctx context.Context, o options, store Store) (*app, error) {
	a := &app{
		store:     store,
		users:     newUsers(),
		mux:       http.NewServeMux(),
		par:       "/par",
		protected: "/api/protected",
		demo: demo.File{
			Issuer:    o.issuer,
			Secrets:   map[string]string{},
			Passwords: map[string]string{},
		},
	}
	if o.gateway {
		a.par = "/api/oauth/par"
		a.protected = "/api/oauth/protected"
	}

	shared, err := loadSecrets(o)
	if err != nil {
		return nil, err
	}
	a.demo.AssertionKey = shared.AssertionKey
	a.demo.AssertionCertificate = shared.AssertionCertificate
	keys, err := shared.keys()
	if err != nil {
		return nil, err
	}
	if err := a.addUsers(o, shared); err != nil {
		return nil, err
	}

	cfg, err := a.config(o, keys)
	if err != nil {
		return nil, err
	}
	if a.srv, err = grantwell.New(cfg); err != nil {
		return nil, err
	}
	if err := a.addClients(ctx, o, shared); err != nil {
		return nil, err
	}
	a.sessions = newSessions(store, strings.HasPrefix(o.issuer, "https:"))

	return a, a.mount(o.gateway)
}

// config returns the configuration of the authorization server.
func (a *app) config(o options, keys tokens.Keys) (grantwell.Config, error) {
	cfg := grantwell.Config{
		Issuer:  o.issuer,
		Clients: a.store,
		Records: a.store,
		Grants: []grants.Handler{
			grants.AuthorizationCode{},
			grants.ClientCredentials{},
			o.refresh(),
			// The next two are here to be seen. Leave them out of a service of your
			// own: RFC 9700 sections 2.1.2 and 2.4.
			grants.Implicit{},
			grants.Password{Authenticator: a.users},
		},
		Keys:              keys,
		AccessTokenFormat: o.accessToken,
		Scopes:            grantwell.ScopeRules{Known: slices.Clone(scopes)},
		Paths:             grantwell.Paths{TokenInfo: "/tokeninfo"},
		PAR:               grantwell.PARConfig{Path: a.par},
		AllowHTTP:         loopback(o.issuer),
		RequireTLS:        o.tlsCert != "",
	}
	if o.clients != "" {
		// The scopes of the file's clients are not known here, so none are promised.
		for i := range cfg.Scopes.Known {
			cfg.Scopes.Known[i].Public = false
		}
	}
	if o.proxy != "" {
		if err := o.trustProxies(&cfg); err != nil {
			return cfg, fmt.Errorf("-trusted-proxy: %w", err)
		}
	}
	if o.log {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if o.store != "memory" {
		// Other instances may share the store, so all of them count wrong guesses
		// together.
		shared, err := limit.NewShared(a.store, nil)
		if err != nil {
			return cfg, err
		}
		cfg.Limiter = shared
	}
	cfg.Compat.AnySecretPlace = o.anyPlace
	if o.gateway {
		cfg = grantwell.Gateway(cfg)
		// The gateway's samples ask for token information without credentials.
		cfg.TokenInfo = grantwell.TokenInfoConfig{Open: true}
	}

	return cfg, a.withAssertions(&cfg, o)
}

// mount gives every URL its handler. All of them are below the path of the issuer, if
// it has one.
func (a *app) mount(gateway bool) error {
	issuer, err := url.Parse(a.srv.Issuer())
	if err != nil {
		return err
	}
	paths := a.srv.Paths()
	pages := grantwell.Pages{User: a.signedIn}
	a.srv.Mount(a.mux)
	a.mux.Handle(issuer.Path+paths.Authorize, a.srv.AuthorizeHandler(pages))
	a.mux.Handle(issuer.Path+paths.Consent, a.srv.ConsentHandler(pages))
	a.mux.HandleFunc(issuer.Path+paths.Login, a.login)
	a.mux.Handle("GET "+issuer.Path+a.protected, a.resource(gateway))

	return nil
}

// loopback reports whether a URL leads to this machine. Plain http is acceptable
// there, because the request does not leave the machine.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())

	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
