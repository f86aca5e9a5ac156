package grants_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
)

// idp stands for a verifier of assertion.NewJWT or assertion.NewSAML. It accepts one
// assertion about ann.
type idp struct{}

func (idp) Verify(_ context.Context, r assertion.Request) (*assertion.Assertion, error) {
	if r.Assertion != signed {
		return nil, &assertion.Error{Code: "invalid_grant", Reason: "signature"}
	}
	return &assertion.Assertion{
		Issuer:  "https://idp.example",
		Subject: assertion.Subject{Value: "ann"},
		Expires: time.Now().Add(time.Minute),
		Attributes: []assertion.Attribute{
			{Name: "department", Values: []string{"HR"}},
		},
		Trust: &assertion.Issuer{
			ID: "https://idp.example",
			Subject: func(_ context.Context, a *assertion.Assertion) (string, error) {
				return "idp|" + a.Subject.Value, nil
			},
			Scopes: func(context.Context, *assertion.Assertion, []string) ([]string, error) {
				return []string{"read"}, nil
			},
		},
	}, nil
}

// signed is the assertion that idp accepts.
const signed = "the signed assertion"

func ExampleJWTBearer() {
	grant := grants.JWTBearer{Verifier: idp{}}
	r := asked(url.Values{"assertion": {signed}}, nil)
	r.Scope = []string{"read", "write"}
	g, err := grant.Handle(context.Background(), r)
	fmt.Println(g.Subject, g.Limit, g.Refresh, err)

	_, err = grant.Handle(context.Background(), asked(url.Values{"assertion": {"a forged one"}}, nil))
	var e *grants.Error
	fmt.Println(errors.As(err, &e), e.Code, e.Description)
	// Output:
	// idp|ann [read] false <nil>
	// true invalid_grant The grant is invalid, expired, revoked or was issued to another client.
}

// The host may copy attributes of the assertion into claims of the token.
func ExampleSAMLBearer() {
	verified := func(_ context.Context, _ *grants.Request, a *assertion.Assertion, g *grants.Grant) error {
		department := a.Attribute("department")
		if len(department) != 1 {
			return errors.New("the user has no department")
		}
		g.Claims = map[string]any{"dept": department[0]}
		return nil
	}
	grant := grants.SAMLBearer{
		Verifier: idp{},
		Bearer:   grants.Bearer{Verified: verified},
	}
	r := asked(url.Values{"assertion": {signed}}, nil)
	r.Scope = []string{"read"}
	g, err := grant.Handle(context.Background(), r)
	fmt.Println(g.Subject, g.Claims, !g.NotAfter.IsZero(), err)
	// Output:
	// idp|ann map[dept:HR] true <nil>
}

// A JWT that a client signs itself names the client. The name is not verified yet.
func ExampleIdentifier() {
	var grant grants.Identifier = grants.JWTBearer{Verifier: idp{}}
	part := base64.RawURLEncoding.EncodeToString
	header := part([]byte(`{"alg":"ES256"}`))
	claims := part([]byte(`{"iss":"app","sub":"ann"}`))
	jwt := header + "." + claims + "." + part([]byte("signature"))
	id, err := grant.Identify(context.Background(), asked(url.Values{"assertion": {jwt}}, nil))
	fmt.Println(id, err)
	// Output:
	// app <nil>
}

// Implicit is for clients that cannot be changed. It adds a response type to the
// authorization endpoint, and nothing to the token endpoint.
func ExampleImplicit() {
	var grant grants.Responder = grants.Implicit{}
	fmt.Println(grant.ResponseType())

	_, err := grants.Implicit{}.Handle(context.Background(), asked(nil, nil))
	var e *grants.Error
	fmt.Println(errors.As(err, &e), e.Code)
	// Output:
	// token
	// true unsupported_grant_type
}

// A host authenticates its own users. For a wrong password it returns ErrWrongPassword, and
// the server answers the client.
func ExampleAuthenticator() {
	var users grants.Authenticator = directory{"ann": "correct horse"}
	login := grants.Login{Username: "ann", Password: "correct horse"}
	user, err := users.Authenticate(context.Background(), login)
	fmt.Println(user.Subject, err)

	login.Password = "battery"
	_, err = users.Authenticate(context.Background(), login)
	fmt.Println(errors.Is(err, grants.ErrWrongPassword))
	// Output:
	// user-7 <nil>
	// true
}

// three is a limiter that allows three wrong passwords for each key, for ever. It has no
// lock, which the limiter of a server needs.
type three map[string]int

func (l three) Attempt(_ context.Context, key string) (func(bool), time.Duration, error) {
	if l[key] == 3 {
		return nil, time.Hour, nil
	}

	// An attempt counts while it runs. Otherwise any number of concurrent attempts would
	// be allowed.
	l[key]++
	return func(success bool) {
		if success {
			l[key] = 0
		}
	}, 0, nil
}

func ExampleLimiter() {
	var limiter grants.Limiter = three{}
	for range 4 {
		done, wait, err := limiter.Attempt(context.Background(), "user:ann")
		fmt.Println(wait, err)

		// done is nil if the attempt is not allowed. Here the password was wrong.
		if done != nil {
			done(false)
		}
	}
	// Output:
	// 0s <nil>
	// 0s <nil>
	// 0s <nil>
	// 1h0m0s <nil>
}
