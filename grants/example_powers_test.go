package grants_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A host's own login page counts its guesses with the server's limiter, so that both
// share one limit.
func ExampleGuess() {
	limiter := limit.NewMemory(nil) // of a server: srv.Limiter()
	remote := netip.MustParseAddr("192.0.2.1")
	login := func(password string) {
		user, err := grants.Guess(context.Background(), limiter, "ann", remote, func() (grants.User, error) {
			if password != "correct horse" {
				return grants.User{}, grants.ErrWrongPassword
			}
			return grants.User{Subject: "user-7"}, nil
		})
		var e *grants.Error
		if errors.As(err, &e) {
			fmt.Println(e.Code, e.Reason)
			return
		}
		fmt.Println(user.Subject)
	}
	login("battery")
	login("correct horse")
	// Output:
	// invalid_grant password
	// user-7
}

// audited wraps a grant and notes what it decides.
type audited struct{ grants.Handler }

// Handle implements [grants.Handler].
func (a audited) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	g, err := a.Handler.Handle(ctx, r)
	fmt.Println(a.GrantType(), "granted:", err == nil)

	return g, err
}

// Unwrap implements [grants.Wrapper].
func (a audited) Unwrap() grants.Handler { return a.Handler }

// A grant that wraps another one names it, so that the server finds the response type
// and the PKCE rules of the inner grant.
func ExampleWrapper() {
	grant := audited{grants.AuthorizationCode{RequirePKCE: true}}
	var wrapper grants.Wrapper = grant
	pkce := wrapper.Unwrap().(grants.PKCE)
	fmt.Println(pkce.ChallengeMethods())

	_, err := grant.Handle(context.Background(), asked(url.Values{"code": {"x"}}, memstore.New()))
	fmt.Println(grants.ErrorOf(err).Reason)
	// Output:
	// [S256]
	// authorization_code granted: false
	// code_unknown
}

// The authorization endpoint asks the grant about each challenge (RFC 7636 section
// 4.3).
func ExamplePKCE() {
	var rules grants.PKCE = grants.AuthorizationCode{}
	public := &storage.Client{ID: "app", AuthMethod: storage.AuthNone}

	method, err := rules.CheckChallenge(public, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256", true)
	fmt.Println(method, err)
	_, err = rules.CheckChallenge(public, "", "", true)
	fmt.Println(grants.ErrorOf(err).Description)
	// Output:
	// S256 <nil>
	// The parameter code_challenge is missing (RFC 7636).
}

// An error has one part for the client and one for the operator. The reason fits a
// metric's label.
func ExampleError() {
	err := grants.InvalidGrant("the ticket of %s was used", "seat 12A").For(grants.ReasonGrant)
	fmt.Println(err.Code)
	fmt.Println(err.Description)
	fmt.Println(err.Reason)
	fmt.Println(err.Err)
	// Output:
	// invalid_grant
	// The grant is invalid, expired, revoked or was issued to another client.
	// grant
	// the ticket of seat 12A was used
}

// An assertion that may be used once is remembered among the records, for all
// instances.
func ExampleReplay() {
	replay := grants.Replay{Records: memstore.New()}
	for range 2 {
		first, err := replay.Use(context.Background(), "https://idp.example", "id-1", time.Now().Add(time.Minute))
		fmt.Println(first, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

// A client that signs its assertions itself is trusted for its own subject, by the
// keys that are registered for it.
func ExampleClientIssuers() {
	store := memstore.New()
	issuers := grants.ClientIssuers{Clients: store}
	_, err := issuers.Issuer(context.Background(), "an unknown client")
	fmt.Println(err)
	// Output: assertion: unknown issuer
}
