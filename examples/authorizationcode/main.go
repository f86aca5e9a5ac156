// Command authorizationcode gets a token by an authorization code with PKCE (RFC 6749
// section 4.1, RFC 7636). It does so as an application on a user's own machine does
// (RFC 8252): the browser comes back to a listener on a loopback port.
//
//	go run ./examples/authorizationcode                 # open the URL that it prints in a browser
//	go run ./examples/authorizationcode -user johndoe   # or let it go through the pages itself
//	go run ./examples/authorizationcode -par            # push the request first (RFC 9126)
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

var (
	client   = flag.String("client", demo.Confidential, "`client_id`: "+demo.Confidential+" or "+demo.Public)
	user     = flag.String("user", "", "sign in as this `user` without a browser")
	password = flag.String("password", "", "that user's `password`; default: the one in the demo file")
	scope    = flag.String("scope", "resource.READ", "`scope` to ask for")
	pushed   = flag.Bool("par", false, "push the request to the server first (RFC 9126)")
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answers := make(chan url.Values, 1)
	callback := &http.Server{
		Handler:           receive(answers),
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
	verifier := oauth2.GenerateVerifier()
	authorize := conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
	if *pushed {
		if authorize, err = push(ctx, f, conf, authorize); err != nil {
			return err
		}
	}

	fmt.Println("Open this in a browser:")
	fmt.Println(authorize)
	if *user != "" {
		if err := browse(ctx, f, authorize); err != nil {
			return err
		}
	}
	code, err := check(f, <-answers, state)
	if err != nil {
		return err
	}
	t, err := conf.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return err
	}
	demo.Print(t)

	return f.Call(ctx, t)
}

// check returns the code of the answer. The answer belongs to this request if it has
// its state, and it is from this server if it has its issuer identifier (RFC 9207).
func check(f *demo.File, answer url.Values, state string) (string, error) {
	switch {
	case answer.Get("state") != state:
		return "", errors.New("the answer has another state: it belongs to another request")
	case answer.Get("iss") != f.Issuer:
		return "", errors.New("the answer is from another server: mix-up")
	case answer.Get("error") != "":
		return "", fmt.Errorf("refused: %s: %s", answer.Get("error"), answer.Get("error_description"))
	}

	return answer.Get("code"), nil
}

// receive takes the answer from the browser, once.
func receive(answers chan<- url.Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		select {
		case answers <- r.URL.Query():
		default: // an answer came before
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "Thank you. You can close this page and go back to the terminal.")
	})

	return mux
}

// browse goes through the pages in place of a user, up to and including the callback.
func browse(ctx context.Context, f *demo.File, authorize string) error {
	if *password == "" {
		*password = f.Passwords[*user]
	}
	to, err := demo.Browse(ctx, authorize, *user, *password)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return err
	}
	res, err := demo.HTTP(ctx).Do(req)
	if err != nil {
		return err
	}

	return res.Body.Close()
}
