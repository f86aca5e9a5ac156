// Command refresh exchanges a refresh token for a new access token (RFC 6749 section 6), and shows what becomes of the
// token that it sent: it is spent, and whoever uses it again ends the whole family.
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

var token = flag.String("token", "", "refresh `token` of "+demo.Confidential+"; default: one that a password of the demo user buys")

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
	// A thief who has the old one comes too late, and the theft is noticed.
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

// refresh sends the refresh token: a token source whose access token is missing has to.
func refresh(ctx context.Context, conf *oauth2.Config, token string) (*oauth2.Token, error) {
	return conf.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}
