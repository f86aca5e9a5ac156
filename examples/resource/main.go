// Command resource is a resource server in a process of its own. It has no part in
// issuing tokens and compiles none of the authorization server. It asks the example
// server about each token (RFC 7662) or, with -jwt, verifies signed tokens (RFC 9068) by
// the server's public keys without a request for each.
//
//	go run ./examples/resource
//	go run ./examples/clientcredentials -resource http://127.0.0.1:8090/api/protected
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/introspect"
)

var (
	addr = flag.String("addr", "127.0.0.1:8090", "`address` to listen on")
	jwt  = flag.Bool("jwt", false, "check signed tokens here; start the server with -access-token jwt")
)

func main() { demo.Main(run) }

func run(ctx context.Context, f *demo.File) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	tokens, err := introspector(f, demo.HTTP(ctx))
	if err != nil {
		return err
	}
	// The tokens of the example server are meant for the server itself. A service of
	// your own has a name of its own, which its tokens carry as their audience.
	guard := introspect.Guard{Introspector: tokens, Audience: []string{f.Issuer}}
	if err := guard.Check(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/protected", guard.Require("resource.READ")(http.HandlerFunc(protected)))

	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Printf("%-12s http://%s/api/protected\nready\n", "protected", ln.Addr())
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(last)
	}()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}

	return nil
}

// introspector returns one of two ways to check a token. By asking, the resource server
// sees a revocation at once. By the keys, it accepts a revoked token until that expires.
func introspector(f *demo.File, client *http.Client) (introspect.Introspector, error) {
	if !*jwt {
		return &introspect.Remote{
			Endpoint:     f.Introspect,
			ClientID:     demo.Resource,
			ClientSecret: f.Secrets[demo.Resource],
			Issuer:       f.Issuer,
			Client:       client,
		}, nil
	}

	roots, err := f.RootCAs()
	if err != nil {
		return nil, err
	}

	return &introspect.LocalJWT{
		Issuer:       f.Issuer,
		Audience:     []string{f.Issuer},
		JWKSURI:      f.JWKS,
		AllowPrivate: true, // the server runs on this machine
		RootCAs:      roots,
	}, nil
}

func protected(w http.ResponseWriter, r *http.Request) {
	t, ok := introspect.FromContext(r.Context())
	if !ok {
		http.Error(w, "error: no token", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, "Congrats! You've hit an OAuth protected resource")
	fmt.Fprintf(w, "subject %s, client %s, scope %s\n",
		t.Subject, t.ClientID, strings.Join(t.Scope, " "))
}
