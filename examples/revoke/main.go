// Command revoke revokes a token (RFC 7009). Revoking a refresh token ends its whole
// family.
//
//	go run ./examples/revoke
//	go run ./examples/revoke -token TOKEN -hint refresh_token
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var (
	token = flag.String("token", "",
		"`token` of "+demo.Confidential+" to revoke; default: a refresh token that a password of the demo user buys")
	hint = flag.String("hint", "none", "token_type_hint: none, access_token or refresh_token")
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	var first *oauth2.Token
	if *token == "" {
		conf := f.Config(demo.Confidential, "resource.READ")
		var err error
		first, err = conf.PasswordCredentialsToken(ctx, "johndoe", f.Passwords["johndoe"])
		if err != nil {
			return err
		}
		demo.Print(first)
		if err := f.Call(ctx, first); err != nil {
			return err
		}
		*token = first.RefreshToken
	}
	if err := revoke(ctx, f, *token, *hint); err != nil {
		return err
	}
	if first == nil {
		return nil
	}
	fmt.Println("the access token of the revoked refresh token:")

	return f.Call(ctx, first)
}

func revoke(ctx context.Context, f *demo.File, token, hint string) error {
	form := url.Values{"token": {token}}
	if hint != "none" {
		form.Set("token_type_hint", hint)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Both parts are form-urlencoded before they go into the header (RFC 6749 section
	// 2.3.1).
	req.SetBasicAuth(url.QueryEscape(demo.Confidential), url.QueryEscape(f.Secrets[demo.Confidential]))
	res, err := demo.HTTP(ctx).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Println("POST", f.Revoke)
	if err := demo.Show(res); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return errors.New("the token was not revoked")
	}
	fmt.Println("success: the token is revoked")

	return nil
}
