// Command jwtbearer exchanges a JWT that the application signs for a token (RFC 7523
// section 2.1). The application sends no other credentials: the server verifies the
// JWT by the certificate that is registered for it.
//
//	go run ./examples/jwtbearer
package main

import (
	"context"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	assertion, err := f.SignJWT("JWT", demo.Confidential, "")
	if err != nil {
		return err
	}
	conf := oauth2.Config{
		Endpoint: oauth2.Endpoint{TokenURL: f.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
	// x/oauth2 has no JWT grant, so its parameters replace those of a code.
	t, err := conf.Exchange(ctx, "",
		oauth2.SetAuthURLParam("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
		oauth2.SetAuthURLParam("assertion", assertion),
		oauth2.SetAuthURLParam("scope", "resource.READ"),
	)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}
