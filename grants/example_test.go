package grants_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// unlimited is a limiter without a limit.
type unlimited struct{}

func (unlimited) Attempt(context.Context, string) (func(bool), time.Duration, error) {
	return func(bool) {}, 0, nil
}

// asked returns a request as the server passes it to a grant.
func asked(form url.Values, records storage.Records) *grants.Request {
	return &grants.Request{
		Form:          form,
		Client:        &storage.Client{ID: "app"},
		Authenticated: true,
		Now:           time.Now(),
		Remote:        netip.MustParseAddr("192.0.2.1"),
		Environment:   grants.Environment{Records: records, Limiter: unlimited{}},
	}
}

func ExampleClientCredentials() {
	g, err := grants.ClientCredentials{}.Handle(context.Background(), asked(nil, nil))
	fmt.Println(g.Subject, g.Refresh, err)

	public := asked(nil, nil)
	public.Authenticated = false
	_, err = grants.ClientCredentials{}.Handle(context.Background(), public)
	fmt.Println(err)
	// Output:
	// app false <nil>
	// grants: unauthorized_client: A public client cannot use client_credentials.
}

// directory is a host's users, with their passwords.
type directory map[string]string

func (d directory) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if d[l.Username] == "" || d[l.Username] != l.Password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: "user-7", Claims: map[string]any{"dept": "HR"}}, nil
}

func ExamplePassword() {
	grant := grants.Password{Authenticator: directory{"ann": "correct horse"}}
	form := url.Values{"username": {"ann"}, "password": {"correct horse"}}
	g, err := grant.Handle(context.Background(), asked(form, nil))
	fmt.Println(g.Subject, g.Claims, err)

	form.Set("password", "battery")
	_, err = grant.Handle(context.Background(), asked(form, nil))
	var e *grants.Error
	fmt.Println(errors.As(err, &e), e.Code)
	// Output:
	// user-7 map[dept:HR] <nil>
	// true invalid_grant
}

func ExampleAuthorizationCode() {
	ctx := context.Background()
	records := memstore.New()

	// The server stores such a record at the authorization endpoint.
	code, err := tokens.Opaque{}.Mint(ctx, tokens.Claims{})
	if err != nil {
		fmt.Println(err)
	}
	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	err = records.Insert(ctx, storage.Record{
		Kind:      storage.Code,
		Key:       storage.Key(code),
		State:     storage.Active,
		GrantID:   "g1",
		ClientID:  "app",
		Subject:   "ann",
		Scope:     []string{"read"},
		ExpiresAt: time.Now().Add(time.Minute),
		Data:      []byte(`{"code_challenge":"` + challenge + `","code_challenge_method":"S256"}`),
	})
	if err != nil {
		fmt.Println(err)
	}

	form := url.Values{
		"code":          {code},
		"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	}
	g, err := grants.AuthorizationCode{}.Handle(ctx, asked(form, records))
	fmt.Println(g.ID, g.Subject, g.Scope, g.Spend.State == storage.Spent, err)
	// Output:
	// g1 ann [read] true <nil>
}

func ExampleRefreshToken() {
	ctx := context.Background()
	records := memstore.New()

	// The server stores such a record when it issues a refresh token.
	token, err := tokens.Opaque{}.Mint(ctx, tokens.Claims{})
	if err != nil {
		fmt.Println(err)
	}
	err = records.Insert(ctx, storage.Record{
		Kind:      storage.Refresh,
		Key:       storage.Key(token),
		State:     storage.Active,
		GrantID:   "g1",
		ClientID:  "app",
		Subject:   "ann",
		Scope:     []string{"read", "write"},
		ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
	}

	// A client may ask for less than was granted.
	r := asked(url.Values{"refresh_token": {token}}, records)
	r.Scope = []string{"read"}
	g, err := grants.RefreshToken{}.Handle(ctx, r)
	fmt.Println(g.Subject, g.Scope, g.Narrow, g.Refresh, err)
	// Output:
	// ann [read write] [read] true <nil>
}

// Ticket is a grant of the host's own. It needs two methods, and no change of a schema.
type Ticket struct{ Seats map[string]string }

// GrantType returns an absolute URI of the host's (RFC 6749 section 4.5).
func (Ticket) GrantType() string { return "https://example.com/grants/ticket" }

// Handle decides. The server issues the tokens.
func (t Ticket) Handle(_ context.Context, r *grants.Request) (*grants.Grant, error) {
	seat, ok := t.Seats[r.Form.Get("ticket")]
	if !ok {
		return nil, grants.InvalidGrant("no such ticket")
	}
	return &grants.Grant{
		Subject:  "guest:" + seat,
		Limit:    []string{"enter"},
		Response: map[string]any{"seat": seat},
	}, nil
}

func ExampleHandler() {
	var h grants.Handler = Ticket{Seats: map[string]string{"t-1": "12A"}}
	g, err := h.Handle(context.Background(), asked(url.Values{"ticket": {"t-1"}}, nil))
	fmt.Println(h.GrantType(), g.Subject, g.Limit, g.Response, err)
	// Output:
	// https://example.com/grants/ticket guest:12A [enter] map[seat:12A] <nil>
}
