// Command clientcredentials gets a token for an application itself, without a user (RFC
// 6749 section 4.4).
//
//	go run ./examples/clientcredentials
package main

import (
	"context"
	"flag"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var scope = flag.String("scope", "resource.READ", "`scope` to ask for")

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	conf := clientcredentials.Config{
		ClientID:     demo.Confidential,
		ClientSecret: f.Secrets[demo.Confidential],
		TokenURL:     f.Token,
		Scopes:       []string{*scope},
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	t, err := conf.Token(ctx)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}
