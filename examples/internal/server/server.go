// Package server is the example server: an authorization server that serves every
// flow, and what a host adds to it, which is users, sessions, a login page and a
// protected resource. The commands that use the package differ in the stores that
// they know.
//
// Read build.go first: a service of your own does the same.
package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Main is the program. It serves on one of the stores until it is interrupted.
func Main(stores Stores) { MainArgs(os.Args[1:], stores) }

// MainArgs is [Main] with a command line of the caller's.
func MainArgs(args []string, stores Stores) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	o := parseFlags(flag.NewFlagSet("server", flag.ExitOnError), args, stores)
	if err := run(ctx, o, stores); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the requests that have begun finish.
func run(ctx context.Context, o options, stores Stores) error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key go together")
	}
	store, closeStore, err := stores.Open(ctx, o.store)
	if err != nil {
		return err
	}
	defer closeStore()

	// The server listens before it is built, because port 0 becomes a port of the
	// issuer's URL.
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	if o.issuer == "" {
		o.issuer = issuerFor(ln.Addr(), o.tlsCert != "")
	}
	as, err := build(ctx, o, store)
	if err != nil {
		return err
	}
	if err := as.announce(os.Stdout, o, ln.Addr()); err != nil {
		return err
	}
	go storage.SweepEvery(ctx, as.store, time.Minute, nil)

	return serve(ctx, o, ln, as.mux)
}

// serve answers requests until ctx ends. The time limits are those that a host has to
// set itself: without them a slow client keeps a connection for ever.
func serve(ctx context.Context, o options, ln net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	failed := make(chan error, 1)
	go func() {
		if o.tlsCert != "" {
			failed <- server.ServeTLS(ln, o.tlsCert, o.tlsKey)
			return
		}
		failed <- server.Serve(ln)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()

	return server.Shutdown(ctx)
}

// issuerFor returns the issuer of a server that listens on addr. If it listens on all
// addresses of the machine, the issuer has the loopback address.
func issuerFor(addr net.Addr, tls bool) string {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	host := addr.String()
	if a, ok := addr.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		host = fmt.Sprintf("127.0.0.1:%d", a.Port)
	}

	return scheme + host
}
