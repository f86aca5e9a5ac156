// Command password exchanges a user's name and password for a token (RFC 6749 section
// 4.3). RFC 9700 section 2.4 forbids this grant to new clients: use authorizationcode.
//
//	go run ./examples/password
package main

import (
	"context"
	"flag"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var (
	user     = flag.String("user", "johndoe", "`username`")
	password = flag.String("password", "", "that user's `password`; default: the one in the demo file")
	scope    = flag.String("scope", "resource.READ", "`scope` to ask for")
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	if *password == "" {
		*password = f.Passwords[*user]
	}
	conf := f.Config(demo.Confidential, *scope)
	t, err := conf.PasswordCredentialsToken(ctx, *user, *password)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}
