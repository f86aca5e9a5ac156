// Command privatekeyjwt gets a token by client credentials. The client authenticates
// with a JWT that it signs, in place of a secret (private_key_jwt, RFC 7523 section
// 2.2).
//
//	go run ./examples/privatekeyjwt
package main

import (
	"context"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	assertion, err := f.SignJWT("client-authentication+jwt", demo.KeyApp, demo.KeyApp)
	if err != nil {
		return err
	}
	conf := clientcredentials.Config{
		ClientID:  demo.KeyApp,
		TokenURL:  f.Token,
		Scopes:    []string{"resource.READ"},
		AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		},
	}
	t, err := conf.Token(ctx)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}
