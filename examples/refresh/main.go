// Command refresh exchanges a refresh token for a new access token (RFC 6749 section
// 6), and shows what becomes of the token that it sent. The token is spent. A client
// that lost the answer may send it again for a short time, but once the new refresh
// token was used too, a second use of the old one means theft and ends the whole family
// (RFC 9700 section 4.14.2).
//
//	go run ./examples/refresh
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var token = flag.String("token", "",
	"refresh `token` of "+demo.Confidential+"; default: one that a password of the demo user buys")

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	conf := f.Config(demo.Confidential, "resource.READ")
	if *token == "" {
		first, err := conf.PasswordCredentialsToken(ctx, "johndoe", f.Passwords["johndoe"])
		if err != nil {
			return err
		}
		fmt.Println("refresh token sent:", first.RefreshToken)
		*token = first.RefreshToken
	}
	second, err := refresh(ctx, conf, *token)
	if err != nil {
		return err
	}
	demo.Print(second)
	if err := f.Call(ctx, second); err != nil {
		return err
	}

	// The client goes on. It has the answer to its first request, so a further use of
	// the first token cannot be a retry.
	if _, err := refresh(ctx, conf, second.RefreshToken); err != nil {
		return err
	}
	fmt.Println("The new refresh token was used in its turn.")
	fmt.Println("the same refresh token once more:")
	_, err = refresh(ctx, conf, *token)
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a spent refresh token was not refused: %w", err)
	}
	fmt.Println(refused.Response.Status, refused.ErrorCode)
	fmt.Println("and the access token that came of it:")

	return f.Call(ctx, second)
}

// refresh sends a refresh token: a token source without an access token does so.
func refresh(ctx context.Context, conf *oauth2.Config, token string) (*oauth2.Token, error) {
	return conf.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}
