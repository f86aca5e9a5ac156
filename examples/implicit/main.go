// Command implicit gets a token from the authorization endpoint, in the fragment of the
// redirect (RFC 6749 section 4.2). RFC 9700 section 2.1.2 advises against this grant:
// use authorizationcode.
//
//	go run ./examples/implicit                 # open the URL that it prints, and paste the address that you end at
//	go run ./examples/implicit -user johndoe   # or let it go through the pages itself
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var (
	client   = flag.String("client", demo.Public, "`client_id`: "+demo.Confidential+" or "+demo.Public)
	user     = flag.String("user", "", "sign in as this `user` without a browser")
	password = flag.String("password", "", "that user's `password`; default: the one in the demo file")
	scope    = flag.String("scope", "resource.READ", "`scope` to ask for")
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	callback := &http.Server{
		Handler:           http.HandlerFunc(landing),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	go func() { _ = callback.Serve(ln) }()
	defer callback.Close()

	conf := f.Config(*client, *scope)
	// The URI is registered without a port, so any port is accepted.
	conf.RedirectURL = "http://" + ln.Addr().String() + "/callback"
	state := rand.Text()
	authorize := conf.AuthCodeURL(state, oauth2.SetAuthURLParam("response_type", "token"))
	fmt.Println("Open this in a browser:")
	fmt.Println(authorize)
	to, err := answer(ctx, f, authorize)
	if err != nil {
		return err
	}
	t, err := read(f, to, state)
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}

// read returns the token in the fragment of a redirect. The answer belongs to this
// request if it has its state, and it is from this server if it has its issuer
// identifier (RFC 9207).
func read(f *demo.File, to *url.URL, state string) (*oauth2.Token, error) {
	q, err := url.ParseQuery(to.EscapedFragment())
	switch {
	case err != nil:
		return nil, err
	case q.Get("state") != state:
		return nil, errors.New("the answer has another state: it belongs to another request")
	case q.Get("iss") != f.Issuer:
		return nil, errors.New("the answer is from another server: mix-up")
	case q.Get("error") != "":
		return nil, fmt.Errorf("refused: %s: %s", q.Get("error"), q.Get("error_description"))
	}
	seconds, err := strconv.Atoi(q.Get("expires_in"))
	if err != nil {
		return nil, err
	}
	t := &oauth2.Token{
		AccessToken: q.Get("access_token"),
		TokenType:   q.Get("token_type"),
		Expiry:      time.Now().Add(time.Duration(seconds) * time.Second),
	}

	return t.WithExtra(map[string]any{"scope": q.Get("scope")}), nil
}

// landing is the page that the browser ends at. It gets no token, because a browser
// sends no fragment to a server.
func landing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "Copy the whole address of this page into the terminal.")
}

// answer returns the address that the browser ends at.
func answer(ctx context.Context, f *demo.File, authorize string) (*url.URL, error) {
	if *user != "" {
		if *password == "" {
			*password = f.Passwords[*user]
		}
		return demo.Browse(ctx, authorize, *user, *password)
	}

	fmt.Println("Paste the whole address of the page that you end at:")
	line, err := bufio.NewReaderSize(os.Stdin, 64<<10).ReadString('\n')
	if err != nil {
		return nil, err
	}

	return url.Parse(strings.TrimSpace(line))
}
