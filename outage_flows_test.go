package grantwell_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// outageSite is a site with everything that the server has, and its outage.
type outageSite struct {
	*servertest.Site
	cut     *servertest.Outage
	parties servertest.Parties
	admin   http.Handler
	account http.Handler
}

// outageFlow is one request that meets an outage.
type outageFlow struct {
	name   string
	change func(*grantwell.Config)
	// begin prepares the request. It is called again after the outage, when a client
	// begins anew.
	begin func(t *testing.T, s *outageSite) (ask func() servertest.Reply)
	// good reports whether an answer is the one that is given without an outage.
	good func(servertest.Reply) bool
	// ends are the calls whose failure ends what the request is about: it must be begun
	// anew.
	ends []string
	// free are the calls that the answer does not need.
	free []string
	// oneShot says that the request cannot be repeated if its first write was done.
	oneShot bool
	// quiet says that the request is a method of the server, which has no event.
	quiet bool
}

func isToken(r servertest.Reply) bool { return r.Status == 200 && r.String("access_token") != "" }
func isOK(r servertest.Reply) bool    { return r.Status == 200 || r.Status == 201 || r.Status == 204 }
func isActive(r servertest.Reply) bool {
	return r.Status == 200 && r.Active()
}

// isAnswer reports whether a redirect goes to the client with a parameter.
func isAnswer(name string) func(servertest.Reply) bool {
	return func(r servertest.Reply) bool {
		to := r.Header.Get("Location")
		return strings.HasPrefix(to, servertest.Redirect) && r.Param(name) != ""
	}
}

// isRefused reports whether an answer has an error code.
func isRefused(code string) func(servertest.Reply) bool {
	return func(r servertest.Reply) bool {
		return r.Status < 500 && (r.String("error") == code || r.Param("error") == code)
	}
}

// leadsTo reports whether a redirect goes to a page of the site.
func leadsTo(path string) func(servertest.Reply) bool {
	return func(r servertest.Reply) bool {
		return strings.HasPrefix(r.Header.Get("Location"), path+"?interaction=")
	}
}

func newOutageSite(t *testing.T, parties servertest.Parties, change func(*grantwell.Config)) *outageSite {
	t.Helper()
	s := &outageSite{parties: parties}
	s.Site = servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.PAR.Path = "/par"
		if change != nil {
			change(cfg)
		}
		s.cut = servertest.Cut(t, cfg)
		parties.Trust(t, cfg)
	})
	parties.Register(t, s.Store)
	s.ChangeClient("other", func(c *storage.Client) { c.SkipConsent = true })

	var err error
	s.admin, err = s.AS.Admin(grantwell.AdminConfig{Authorize: servertest.CallerName})
	require.NoError(t, err)
	s.account, err = s.AS.Account(grantwell.AccountConfig{Subject: servertest.CallerName})
	require.NoError(t, err)
	return s
}

// code returns a code for a client, by the authorization endpoint of a host that
// approves everything.
func (s *outageSite) code(t *testing.T, client string) string {
	t.Helper()
	code := s.Authorize(grantwell.Approval{Subject: "alice", Remember: true}, "client_id", client).Param("code")
	require.NotEmpty(t, code)
	return code
}

// family begins a grant and returns its tokens.
func (s *outageSite) family(t *testing.T, client string) (access, refresh string) {
	t.Helper()
	res := s.Redeem(client, s.code(t, client))
	require.Equal(t, 200, res.Status, res.Body)
	return res.String("access_token"), res.String("refresh_token")
}

// signed returns a JWT of the client signer, or of the other authorization server.
func (s *outageSite) signed(t *testing.T, issuer, subject string) string {
	key := s.parties.Client
	if issuer == servertest.OtherAS {
		key = s.parties.AS
	}
	return servertest.SignJWT(t, jose.ES256, key, servertest.AssertionClaims(issuer, subject, servertest.Issuer))
}

// refreshed is the flow of a refresh token, which was used before or not.
func refreshed(name string, g grants.RefreshToken, used bool, good func(servertest.Reply) bool) outageFlow {
	return outageFlow{
		name:    name,
		change:  servertest.WithRefresh(g),
		good:    good,
		ends:    []string{"hook AfterIssue"},
		oneShot: g.Strict,
		begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
			_, token := s.family(t, "conf")
			if used {
				require.Equal(t, 200, s.Refresh("conf", token).Status)
			}
			return func() servertest.Reply { return s.Refresh("conf", token) }
		},
	}
}

// tokenFlows are the requests to the token endpoint, by every grant.
func tokenFlows() []outageFlow {
	flows := []outageFlow{
		refreshed("refresh", grants.RefreshToken{Strict: true}, false, isToken),
		refreshed("refresh with a window", grants.RefreshToken{}, false, isToken),
		refreshed("refresh that is kept", grants.RefreshToken{Mode: grants.Preserve}, false, isToken),
		refreshed("refresh once", grants.RefreshToken{Mode: grants.Once}, false, isToken),
		refreshed("refresh that ends access tokens", grants.RefreshToken{EndAccess: true}, false, isToken),
		refreshed("retry", grants.RefreshToken{}, true, isToken),
		refreshed("second use", grants.RefreshToken{Strict: true}, true, isRefused("invalid_grant")),
	}
	for _, client := range []string{"conf", "public"} {
		flows = append(flows, outageFlow{
			name:    "code of " + client,
			good:    isToken,
			ends:    []string{"hook AfterIssue"},
			oneShot: true,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				code := s.code(t, client)
				return func() servertest.Reply { return s.Redeem(client, code) }
			},
		})
	}
	asks := map[string]func(t *testing.T, s *outageSite) servertest.Reply{
		"client credentials": func(_ *testing.T, s *outageSite) servertest.Reply {
			return s.ClientCredentials(servertest.Conf)
		},
		"client assertion": func(t *testing.T, s *outageSite) servertest.Reply {
			return s.ClientCredentials("", "client_assertion_type", assertion.ClientJWT,
				"client_assertion", s.signed(t, "signer", "signer"))
		},
		"password": func(_ *testing.T, s *outageSite) servertest.Reply {
			return s.Login(servertest.Username, servertest.Password)
		},
		"assertion of a client": func(t *testing.T, s *outageSite) servertest.Reply {
			return s.Post("/token", "", "grant_type", assertion.GrantJWT,
				"assertion", s.signed(t, "signer", ""))
		},
		"assertion of another server": func(t *testing.T, s *outageSite) servertest.Reply {
			return s.Post("/token", servertest.Trusted, "grant_type", assertion.GrantJWT,
				"assertion", s.signed(t, servertest.OtherAS, "bob"))
		},
		"SAML assertion": func(t *testing.T, s *outageSite) servertest.Reply {
			return s.Post("/token", servertest.Trusted, "grant_type", assertion.GrantSAML2,
				"assertion", servertest.SAMLAssertion(t, s.parties.IDP, nil))
		},
	}
	for name, ask := range asks {
		flows = append(flows, outageFlow{
			name: name,
			good: isToken,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				return func() servertest.Reply { return ask(t, s) }
			},
		})
	}
	return flows
}

// codeRefusals are the refusals of a code that write to the store.
func codeRefusals() []outageFlow {
	flow := func(name string, ask func(t *testing.T, s *outageSite) func() servertest.Reply) outageFlow {
		return outageFlow{name: name, begin: ask, good: isRefused("invalid_grant")}
	}
	return []outageFlow{
		flow("code used before", func(t *testing.T, s *outageSite) func() servertest.Reply {
			code := s.code(t, "conf")
			require.Equal(t, 200, s.Redeem("conf", code).Status)
			return func() servertest.Reply { return s.Redeem("conf", code) }
		}),
		flow("code of another client", func(t *testing.T, s *outageSite) func() servertest.Reply {
			code := s.code(t, "conf")
			return func() servertest.Reply { return s.Redeem("post", code) }
		}),
		flow("code with a wrong verifier", func(t *testing.T, s *outageSite) func() servertest.Reply {
			code := s.code(t, "conf")
			return func() servertest.Reply {
				return s.Redeem("conf", code, "code_verifier", strings.Repeat("x", 43))
			}
		}),
	}
}

// signedFlows are requests of a server whose access tokens are JWTs.
func signedFlows(keys func(*grantwell.Config), unrecorded func(*grantwell.Config)) []outageFlow {
	token := func(_ *testing.T, s *outageSite) func() servertest.Reply {
		return func() servertest.Reply { return s.ClientCredentials(servertest.Conf) }
	}
	return []outageFlow{
		{name: "signed token", change: keys, begin: token, good: isToken},
		{name: "unrecorded token", change: unrecorded, begin: token, good: isToken},
		{
			name: "introspect an unrecorded token", change: unrecorded, good: isActive,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				access, _ := s.family(t, "conf")
				return func() servertest.Reply { return s.Introspect("conf", access) }
			},
		},
		{
			name: "revoke an unrecorded token", change: unrecorded, good: isRefused("unsupported_token_type"),
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				access, _ := s.family(t, "conf")
				return func() servertest.Reply { return s.Revoke("conf", access) }
			},
		},
		{
			name: "revoke an unrecorded token of another client", change: unrecorded,
			good: isRefused("invalid_grant"),
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				access, _ := s.family(t, "conf")
				return func() servertest.Reply { return s.Revoke("public", access) }
			},
		},
	}
}

// inspectFlows are the requests about tokens.
func inspectFlows() []outageFlow {
	flow := func(
		name string, good func(servertest.Reply) bool, ask func(s *outageSite, access, refresh string) servertest.Reply,
	) outageFlow {
		return outageFlow{
			name: name,
			good: good,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				s.AddClient("api", func(c *storage.Client) { c.Resources = []string{servertest.Issuer} })
				access, refresh := s.family(t, "conf")
				return func() servertest.Reply { return ask(s, access, refresh) }
			},
		}
	}
	open := func(cfg *grantwell.Config) { cfg.TokenInfo.Open = true }
	anonymous := flow("open token information", isOK, func(s *outageSite, access, _ string) servertest.Reply {
		return s.Post("/tokeninfo", "", "access_token", access)
	})
	anonymous.change = open
	method := flow("Introspect", isOK, func(s *outageSite, access, _ string) servertest.Reply {
		found, err := s.AS.Introspect(context.Background(), access)
		if err != nil {
			return servertest.Reply{Status: 503}
		}
		if !found.Active {
			return servertest.Reply{Status: 400}
		}
		return servertest.Reply{Status: 200}
	})
	method.quiet = true
	return []outageFlow{
		anonymous,
		method,
		flow("introspect an access token", isActive, func(s *outageSite, access, _ string) servertest.Reply {
			return s.Introspect("conf", access)
		}),
		flow("introspect by the resource", isActive, func(s *outageSite, access, _ string) servertest.Reply {
			return s.Introspect("api", access)
		}),
		flow("introspect a refresh token", isActive, func(s *outageSite, _, refresh string) servertest.Reply {
			return s.Introspect("conf", refresh)
		}),
		flow("introspect a refresh token by its hint", isActive, func(s *outageSite, _, refresh string) servertest.Reply {
			return s.Introspect("conf", refresh, "token_type_hint", "refresh_token")
		}),
		flow("token information", isOK, func(s *outageSite, access, _ string) servertest.Reply {
			return s.Post("/tokeninfo", servertest.Conf, "access_token", access)
		}),
		flow("revoke an access token", isOK, func(s *outageSite, access, _ string) servertest.Reply {
			res := s.Revoke("conf", access)
			return s.mustBe(res, access, false)
		}),
		flow("revoke a refresh token", isOK, func(s *outageSite, _, refresh string) servertest.Reply {
			res := s.Revoke("conf", refresh)
			return s.mustBe(res, refresh, false)
		}),
	}
}

// mustBe turns a success into status 418 if the token's record is not in the state
// that it must be in then.
func (s *outageSite) mustBe(res servertest.Reply, token string, active bool) servertest.Reply {
	if res.Status != 200 {
		return res
	}
	for _, kind := range []storage.Kind{storage.Access, storage.Refresh} {
		rec, err := s.Store.Get(context.Background(), kind, storage.Key(token))
		if err == nil && (rec.State == storage.Active) != active {
			res.Status = http.StatusTeapot
		}
	}
	return res
}

// pageFlows are the requests of a browser.
func pageFlows() []outageFlow {
	ends := []string{"hook AfterAuthorize", "hook AfterIssue"}
	visit := func(name string, good func(servertest.Reply) bool, user, client string, more ...string) outageFlow {
		return outageFlow{
			name: name, good: good, ends: ends,
			begin: func(_ *testing.T, s *outageSite) func() servertest.Reply {
				b := s.Browser()
				if user != "" {
					b.SignIn(user)
				}
				target := servertest.AuthorizeURL(append([]string{"client_id", client}, more...)...)
				return func() servertest.Reply { return b.Send(target, nil) }
			},
		}
	}
	post := func(name string, good func(servertest.Reply) bool, twice bool, pairs ...string) outageFlow {
		return outageFlow{
			name: name, good: good, ends: ends,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				b := s.SignedIn(newUser())
				form := servertest.With(b.Visit(servertest.AuthorizeURL(), nil).ConsentForm(t), pairs...)
				if twice {
					require.True(t, good(b.Send("/consent", form)))
				}
				return func() servertest.Reply { return b.Send("/consent", form) }
			},
		}
	}
	page := func(r servertest.Reply) bool { return r.AsksConsent() }
	return []outageFlow{
		visit("authorize without a session", leadsTo("/login"), "", "conf"),
		visit("authorize", leadsTo("/consent"), "bob", "conf"),
		visit("authorize a client that is not asked about", isAnswer("code"), "bob", "other"),
		visit("authorize by prompt none", isRefused("login_required"), "", "conf", "prompt", "none"),
		visit("authorize by prompt none, with a session", isRefused("consent_required"), "bob", "conf", "prompt", "none"),
		visit("implicit", isAnswer("access_token"), "bob", "other", "response_type", "token"),
		post("allow", isAnswer("code"), false),
		post("allow twice", isAnswer("code"), true),
		post("allow a part", isAnswer("code"), false, "scope", "read"),
		post("deny", isRefused("access_denied"), false, "decision", "deny"),
		post("deny twice", isRefused("access_denied"), true, "decision", "deny"),
		post("press Enter", leadsTo("/consent"), false, "decision", "ask"),
		{
			name: "consent page", good: page,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				b := s.SignedIn(newUser())
				to := b.Send(servertest.AuthorizeURL(), nil).Header.Get("Location")
				return func() servertest.Reply { return b.Send(to, nil) }
			},
		},
		{
			name: "resume after the login", good: page,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				b := s.Browser()
				handle := b.Visit(servertest.AuthorizeURL(), nil).Interaction(t)
				b.SignIn(newUser())
				return func() servertest.Reply { return b.Visit(s.AS.ResumeURL(handle), nil) }
			},
		},
		{
			name: "resume to a consent of before", good: isAnswer("code"), ends: ends, oneShot: true,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				user := newUser()
				s.SignedIn(user).Allow()
				b := s.Browser()
				handle := b.Visit(servertest.AuthorizeURL(), nil).Interaction(t)
				b.SignIn(user)
				return func() servertest.Reply { return b.Visit(s.AS.ResumeURL(handle), nil) }
			},
		},
		{
			name: "push", good: isOK,
			begin: func(_ *testing.T, s *outageSite) func() servertest.Reply {
				return func() servertest.Reply { return s.push("public") }
			},
		},
		{
			name: "authorize a pushed request", good: isAnswer("code"), ends: ends, oneShot: true,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				b := s.SignedIn("bob")
				query := url.Values{"client_id": {"other"}, "request_uri": {s.push("other").String("request_uri")}}
				return func() servertest.Reply { return b.Send("/authorize?"+query.Encode(), nil) }
			},
		},
	}
}

// push pushes an authorization request.
func (s *outageSite) push(client string) servertest.Reply {
	as, id := servertest.Credentials(client)
	form := servertest.AuthorizeQuery(append(id, "client_id", client)...)
	return s.Do(servertest.Request("/par", as, form.Encode()))
}

var users atomic.Int64

// newUser returns the name of a user who has allowed nothing yet.
func newUser() string { return "user" + time.Unix(users.Add(1), 0).UTC().Format("150405") }

// adminFlows are the requests of administrators and of users who look after their
// accounts.
func adminFlows() []outageFlow {
	flow := func(method, path, body string, headers ...string) outageFlow {
		return outageFlow{
			name: method + " " + path,
			good: isOK,
			// The client of a withdrawn consent is looked up for the event alone.
			free: map[bool][]string{true: {"Client"}}[strings.Contains(path, "/consents") && method == "DELETE"],
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				s.AddClient("app", sameClient)
				res := s.Authorize(grantwell.Approval{Subject: "carol", Remember: true}, "client_id", "app")
				require.NotEmpty(t, res.Param("code"))
				require.Equal(t, 200, s.Redeem("app", res.Param("code")).Status)
				grant := s.Records(storage.Query{Subject: "carol", Kind: storage.Refresh})[0].GrantID
				path := strings.ReplaceAll(path, "GRANT", grant)
				return func() servertest.Reply {
					if account, ok := strings.CutPrefix(path, "/account"); ok {
						return servertest.SendJSON(s.account, method, account, body, "X-Who", "carol")
					}
					return servertest.SendJSON(s.admin, method, path, body, append(headers, "X-Who", "root")...)
				}
			},
		}
	}
	gone := flow("DELETE", "/clients/app", "")
	gone.oneShot = true
	return []outageFlow{
		flow("GET", "/clients", ""),
		flow("GET", "/clients/app", ""),
		flow("POST", "/clients", `{"redirect_uris":["https://new.example/"]}`),
		gone,
		flow("PUT", "/clients/app", `{"client_name":"New","redirect_uris":["https://app.example/cb"]}`, "If-Match", "*"),
		flow("POST", "/clients/app/disable", ""),
		flow("POST", "/clients/app/enable", ""),
		flow("POST", "/clients/app/revoke", ""),
		flow("POST", "/clients/app/secret", `{"overlap_seconds":0}`),
		flow("GET", "/export?shared_keys=include", ""),
		flow("POST", "/import?existing=replace", `{"format":"grantwell.clients.v2","clients":[`+
			`{"client_id":"app","redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"none"}]}`),
		flow("GET", "/grants?subject=carol", ""),
		flow("DELETE", "/grants/GRANT", ""),
		flow("DELETE", "/grants?subject=carol", ""),
		flow("GET", "/consents?subject=carol", ""),
		flow("DELETE", "/consents?subject=carol&client_id=app", ""),
		flow("GET", "/account/grants", ""),
		flow("DELETE", "/account/grants/GRANT", ""),
		flow("GET", "/account/consents", ""),
		flow("DELETE", "/account/consents?client_id=app", ""),
	}
}

func sameClient(*storage.Client) {}

// methodFlows are the methods of the server that work on the store.
func methodFlows() []outageFlow {
	flow := func(name string, ask func(s *outageSite) error) outageFlow {
		return outageFlow{
			name: name, good: isOK, quiet: true,
			begin: func(t *testing.T, s *outageSite) func() servertest.Reply {
				s.code(t, "conf")
				return func() servertest.Reply {
					if err := ask(s); err != nil {
						return servertest.Reply{Status: 503}
					}
					return servertest.Reply{Status: 200}
				}
			},
		}
	}
	return []outageFlow{
		flow("ConsentedScopes", func(s *outageSite) error {
			_, err := s.AS.ConsentedScopes(context.Background(), "conf", "alice")
			return err
		}),
		flow("RevokeConsent", func(s *outageSite) error {
			return s.AS.RevokeConsent(context.Background(), "conf", "alice")
		}),
		flow("RevokeSubject", func(s *outageSite) error {
			return s.AS.RevokeSubject(context.Background(), "alice")
		}),
		flow("Check", func(s *outageSite) error { return s.AS.Check(context.Background()) }),
	}
}

// outageFlows are all of them.
func outageFlows(t *testing.T) []outageFlow {
	keys := servertest.Keys(t)
	return slices.Concat(tokenFlows(), codeRefusals(), inspectFlows(), pageFlows(), adminFlows(), methodFlows(),
		signedFlows(servertest.Signed(keys), servertest.Unrecorded(keys)))
}
