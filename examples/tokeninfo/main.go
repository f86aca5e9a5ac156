// Command tokeninfo asks about a token in two ways: at the token information endpoint,
// which some API gateways have, and by introspection, which is the standard (RFC 7662).
//
//	go run ./examples/tokeninfo
//	go run ./examples/tokeninfo -token TOKEN
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var token = flag.String("token", "",
	"access `token` of "+demo.Confidential+"; default: one that a password of the demo user buys")

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	t := &oauth2.Token{AccessToken: *token}
	if *token == "" {
		conf := f.Config(demo.Confidential, "resource.READ")
		var err error
		t, err = conf.PasswordCredentialsToken(ctx, "johndoe", f.Passwords["johndoe"])
		if err != nil {
			return err
		}
		demo.Print(t)
	}

	var info struct {
		Audience  string      `json:"audience"` // the client that the token was issued to
		UserID    string      `json:"user_id"`
		Scope     string      `json:"scope"`
		ExpiresIn json.Number `json:"expires_in"`
	}
	form := url.Values{"access_token": {t.AccessToken}}
	if err := ask(ctx, f, f.TokenInfo, form, &info); err != nil {
		return err
	}
	fmt.Println("audience:  ", info.Audience)
	fmt.Println("user id:   ", info.UserID)
	fmt.Println("scope:     ", info.Scope)
	fmt.Println("expires in:", info.ExpiresIn, "s")

	var standard map[string]any
	form = url.Values{"token": {t.AccessToken}}
	if err := ask(ctx, f, f.Introspect, form, &standard); err != nil {
		return err
	}
	for _, name := range []string{"active", "client_id", "sub", "scope", "token_type", "iss", "aud"} {
		fmt.Printf("%-11s %v\n", name+":", standard[name])
	}

	return f.Call(ctx, t)
}

// ask posts a form as the client and reads the JSON of the answer.
func ask(ctx context.Context, f *demo.File, endpoint string, form url.Values, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
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
	fmt.Println("POST", endpoint)
	if res.StatusCode != http.StatusOK {
		return demo.Show(res)
	}
	fmt.Println(res.Status)

	return json.NewDecoder(http.MaxBytesReader(nil, res.Body, 1<<20)).Decode(answer)
}
