package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"
)

// maxBody bounds in bytes how much of an answer is read.
const maxBody = 1 << 20

// Client returns an HTTP client for the server of this file. It has a time limit, and
// trusts the server's own certificate.
func (f *File) Client() (*http.Client, error) {
	c := &http.Client{Timeout: 10 * time.Second}
	if f.CA == "" {
		return c, nil
	}
	roots, err := f.RootCAs()
	if err != nil {
		return nil, err
	}
	c.Transport = &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:   true,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
	}

	return c, nil
}

// RootCAs returns the certificates of the system and that of the server. It returns
// nil, which means those of the system alone, if the server has none of its own.
func (f *File) RootCAs() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(f.CA)) {
		return nil, errors.New("demo: the server's certificate cannot be read")
	}

	return roots, nil
}

// Main runs an example program. It reads the flags and the demo file, and calls run
// with a context that has the HTTP client where golang.org/x/oauth2 looks for it. A
// program registers its own flags before.
func Main(run func(ctx context.Context, f *File) error) {
	path := flag.String("demo", "",
		"`file` that the example server has written; default: in the user's cache directory")
	resource := flag.String("resource", "",
		"`URL` of the protected resource to call; default: the example server's own")
	flag.Parse()

	if err := start(run, *path, *resource); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func start(run func(ctx context.Context, f *File) error, path, resource string) error {
	if path == "" {
		var err error
		if path, err = Path(); err != nil {
			return err
		}
	}
	f, err := Read(path)
	if err != nil {
		return err
	}
	if resource != "" {
		f.Protected = resource
	}
	c, err := f.Client()
	if err != nil {
		return err
	}

	return run(context.WithValue(context.Background(), oauth2.HTTPClient, c), f)
}

// HTTP returns the client that [Main] put into the context.
func HTTP(ctx context.Context) *http.Client {
	if c, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok {
		return c
	}

	return http.DefaultClient
}

// Config returns the configuration of golang.org/x/oauth2 for one of the clients.
func (f *File) Config(clientID string, scopes ...string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if f.Secrets[clientID] == "" {
		style = oauth2.AuthStyleInParams // a public client sends its client_id alone
	}

	return &oauth2.Config{
		ClientID:     clientID,
		ClientSecret: f.Secrets[clientID],
		Scopes:       scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   f.Authorize,
			TokenURL:  f.Token,
			AuthStyle: style,
		},
	}
}

// Print writes the members of a token response. A program of your own never prints a
// token.
func Print(t *oauth2.Token) {
	seconds := time.Until(t.Expiry).Round(time.Second) / time.Second
	fmt.Println("access token: ", t.AccessToken)
	fmt.Println("token type:   ", t.Type())
	fmt.Println("expires in:   ", int(seconds), "s")
	if t.RefreshToken != "" {
		fmt.Println("refresh token:", t.RefreshToken)
	}
	if scope, ok := t.Extra("scope").(string); ok {
		fmt.Println("scope:        ", scope)
	}
}

// Call requests the protected resource with an access token, and prints the status and
// the body of the answer.
func (f *File) Call(ctx context.Context, t *oauth2.Token) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.Protected, nil)
	if err != nil {
		return err
	}
	t.SetAuthHeader(req)
	res, err := HTTP(ctx).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Println("GET", f.Protected)

	return Show(res)
}

// Show prints the status and the body of an answer.
func Show(res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return err
	}
	fmt.Println(res.Status)
	if challenge := res.Header.Get("WWW-Authenticate"); challenge != "" {
		fmt.Println("WWW-Authenticate:", challenge)
	}
	if len(body) > 0 {
		fmt.Printf("%s", body)
		if body[len(body)-1] != '\n' {
			fmt.Println()
		}
	}

	return nil
}
