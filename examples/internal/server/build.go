package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
)

// scopes are what the demo clients may ask for. The last two look like those of other vendors' samples.
var scopes = []grantwell.Scope{
	{Name: "resource.READ", Description: "Read your resources", Public: true},
	{Name: "resource.WRITE", Description: "Change your resources", Public: true},
	{Name: "https://localhost:8090/auth/userinfo.email", Description: "Access and change your email contacts"},
	{Name: "https://localhost:8090/auth/user.photos", Description: "See your photos"},
}

// app is the authorization server with the host's side of it: users, sessions, login page, resource.
type app struct {
	srv       *grantwell.Server
	store     Store
	users     users
	sessions  *sessions
	mux       *http.ServeMux
	demo      demo.File
	protected string // path of the resource
}

// build joins everything. This is what a host of its own does too: a store, the users, the keys, a mux.
func build(ctx context.Context, o options, store Store) (*app, error) {
	a := &app{store: store, users: newUsers(), mux: http.NewServeMux(), protected: "/api/protected"}
	a.demo = demo.File{Issuer: o.issuer, Secrets: map[string]string{}, Passwords: map[string]string{}}
	shared, err := loadSecrets(o)
	if err != nil {
		return nil, err
	}
	a.demo.AssertionKey, a.demo.AssertionCertificate = shared.AssertionKey, shared.AssertionCertificate
	keys, err := shared.keys()
	if err != nil {
		return nil, err
	}
	if err := a.addUsers(o, shared); err != nil {
		return nil, err
	}
	cfg := grantwell.Config{
		Issuer:  o.issuer,
		Clients: a.store,
		Records: a.store,
		Grants: []grants.Handler{
			grants.AuthorizationCode{},
			grants.ClientCredentials{},
			grants.RefreshToken{RetryWindow: o.retryWindow},
			// These two are here to be seen. Leave them out of a service of your own: RFC 9700 sections 2.1.2 and 2.4.
			grants.Implicit{},
			grants.Password{Authenticator: a.users},
		},
		Keys:              keys,
		AccessTokenFormat: o.accessToken,
		Scopes:            grantwell.ScopeRules{Known: scopes},
		Paths:             grantwell.Paths{TokenInfo: "/tokeninfo"},
		AllowHTTP:         loopback(o.issuer),
		RequireTLS:        o.tlsCert != "",
	}
	if o.proxy != "" {
		proxy, err := netip.ParsePrefix(o.proxy)
		if err != nil {
			return nil, fmt.Errorf("-trusted-proxy: %w", err)
		}
		cfg.TrustedProxies = []netip.Prefix{proxy}
	}
	if o.log {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if o.store != "memory" { // wrong guesses count for all instances together
		if cfg.Limiter, err = limit.NewShared(store, nil); err != nil {
			return nil, err
		}
	}
	if o.gateway {
		cfg = grantwell.Gateway(cfg)
		cfg.TokenInfo = grantwell.TokenInfoConfig{Open: true} // as its samples ask: without authentication
		a.protected = "/api/oauth/protected"
	}
	tokenPath := cfg.Paths.Token
	if tokenPath == "" {
		tokenPath = grantwell.DefaultPaths().Token
	}
	if err := a.withAssertions(&cfg, tokenPath); err != nil {
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

// mount gives every URL its handler. An issuer with a path has all of them below that path.
func (a *app) mount(gateway bool) error {
	issuer, err := url.Parse(a.srv.Issuer())
	if err != nil {
		return err
	}
	paths, ui := a.srv.Paths(), grantwell.Pages{User: a.signedIn}
	a.mux.Handle("/", a.srv.Handler())
	a.mux.Handle(issuer.Path+paths.Authorize, a.srv.AuthorizeHandler(ui))
	a.mux.Handle(issuer.Path+paths.Consent, a.srv.ConsentHandler(ui))
	a.mux.HandleFunc(issuer.Path+paths.Login, a.login)
	a.mux.Handle("GET "+issuer.Path+a.protected, a.resource(gateway))
	return nil
}

// loopback tells whether a URL leads to this machine, where plain http is nobody's business.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// announce prints one "name value" a line, and writes the file that the client programs read.
func (a *app) announce(w io.Writer, o options, addr net.Addr) error {
	p := a.srv.Paths()
	f := &a.demo
	f.Authorize, f.Token, f.Revoke = a.srv.URL(p.Authorize), a.srv.URL(p.Token), a.srv.URL(p.Revoke)
	f.Introspect, f.TokenInfo, f.JWKS, f.Protected = a.srv.URL(p.Introspect), a.srv.URL(p.TokenInfo), a.srv.URL(p.JWKS), a.srv.URL(a.protected)
	if o.tlsCert != "" {
		pem, err := os.ReadFile(o.tlsCert)
		if err != nil {
			return err
		}
		f.CA = string(pem)
	}
	b := bufio.NewWriter(w)
	for _, l := range [][2]string{{"issuer", f.Issuer}, {"authorize", f.Authorize}, {"token", f.Token}, {"revoke", f.Revoke}, {"introspect", f.Introspect},
		{"tokeninfo", f.TokenInfo}, {"jwks", f.JWKS}, {"metadata", metadataURL(f.Issuer)}, {"protected", f.Protected}, {"address", addr.String()}} {
		fmt.Fprintf(b, "%-12s %s\n", l[0], l[1])
	}
	for _, id := range sorted(f.Secrets) {
		if f.Secrets[id] == "" {
			fmt.Fprintf(b, "%-12s %s\n", "public", id)
			continue
		}
		fmt.Fprintf(b, "%-12s %s %s\n", "client", id, f.Secrets[id])
	}
	for _, name := range sorted(f.Passwords) {
		fmt.Fprintf(b, "%-12s %s %s\n", "user", name, f.Passwords[name])
	}
	if o.demo != "-" {
		path := o.demo
		if path == "" {
			var err error
			if path, err = demo.Path(); err != nil {
				return errors.Join(err, errors.New("name a file by -demo, or none by -demo -"))
			}
		}
		if err := f.Write(path); err != nil {
			return err
		}
		fmt.Fprintf(b, "%-12s %s\n", "demo", path)
	}
	fmt.Fprintln(b, "ready")
	return b.Flush()
}

// metadataURL is where RFC 8414 section 3.1 places the metadata: before the issuer's path.
func metadataURL(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/oauth-authorization-server" + u.Path
	return u.String()
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sweep forgets what has expired, in bounded batches. Expired records never validate, swept or not.
func (a *app) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for {
				n, err := a.store.Sweep(ctx, now, 1000)
				if err != nil || n < 1000 {
					break
				}
			}
		}
	}
}
