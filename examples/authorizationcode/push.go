package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// push sends the parameters of an authorization URL to the server, with the client's
// authentication, and returns the URL that the browser opens in its place. That URL
// carries a reference to the request and nothing of it (RFC 9126 section 2).
func push(ctx context.Context, f *demo.File, conf *oauth2.Config, authorize string) (string, error) {
	u, err := url.Parse(authorize)
	if err != nil {
		return "", err
	}
	form := u.Query()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.PAR, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if conf.ClientSecret != "" {
		// Both parts are form-urlencoded before they go into the header (RFC 6749
		// section 2.3.1).
		req.SetBasicAuth(url.QueryEscape(conf.ClientID), url.QueryEscape(conf.ClientSecret))
	}
	res, err := demo.HTTP(ctx).Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	fmt.Println("POST", f.PAR)
	if res.StatusCode != http.StatusCreated {
		if err := demo.Show(res); err != nil {
			return "", err
		}
		return "", fmt.Errorf("the request was not accepted: %s", res.Status)
	}

	fmt.Println(res.Status)
	var answer struct {
		RequestURI string `json:"request_uri"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return "", err
	}
	u.RawQuery = url.Values{
		"client_id":   {conf.ClientID},
		"request_uri": {answer.RequestURI},
	}.Encode()

	return u.String(), nil
}
