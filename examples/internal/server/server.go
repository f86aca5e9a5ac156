// Package server is the example server: an authorization server with every flow, and the host's side of it, which is
// its users, sessions, login page and a protected resource. The commands differ in the stores that they know.
//
// Read build.go first: it is what a service of your own does too.
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
)

// options are the command line.
type options struct {
	addr, issuer, tlsCert, tlsKey, clients, users, accessToken, store, secrets, demo, proxy string
	gateway, log                                                                            bool
	retryWindow                                                                             time.Duration
}

func parseFlags(flags *flag.FlagSet, args []string, stores Stores) options {
	var o options
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8089", "`address` to listen on; port 0 picks a free one")
	flags.StringVar(&o.issuer, "issuer", "", "issuer `URL`; default: from -addr, https when there is a certificate")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, a PEM `file`")
	flags.StringVar(&o.tlsKey, "tls-key", "", "its private key, a PEM `file`")
	flags.StringVar(&o.clients, "clients", "", "further clients: a JSON `file`, an array in the names of RFC 7591")
	flags.StringVar(&o.users, "users", "", "further users: a JSON `file`, an array of username, password, sub, claims")
	flags.StringVar(&o.accessToken, "access-token", "opaque", "form of access tokens: opaque or jwt (RFC 9068)")
	flags.StringVar(&o.store, "store", "memory", "where codes, tokens, clients and sessions are kept: "+stores.Usage)
	flags.StringVar(&o.secrets, "secrets", "", "`file` with the keys and the demo secrets that instances and restarts share, made when it is not there; "+
		"default: fresh ones in memory, one in the user's cache directory for other stores")
	flags.StringVar(&o.demo, "demo", "", "`file` that tells the client programs about this server; default: in the user's cache directory; \"-\": none")
	flags.StringVar(&o.proxy, "trusted-proxy", "", "`prefix` of the addresses whose X-Forwarded-For and X-Forwarded-Proto are believed, for example 127.0.0.1/32")
	flags.BoolVar(&o.gateway, "gateway", false, "answer as an API gateway's OAuth service does: its paths, formats and lifetimes")
	flags.BoolVar(&o.log, "log", false, "log every outcome to standard error")
	flags.DurationVar(&o.retryWindow, "retry-window", 0, "time in which a lost refresh answer is given again, for example 10s")
	_ = flags.Parse(args) // ends the program itself
	if flags.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "server: unexpected argument:", flags.Arg(0))
		os.Exit(2)
	}
	return o
}

// Main is the program: it serves until it is interrupted, on one of these stores.
func Main(stores Stores) { MainArgs(os.Args[1:], stores) }

// MainArgs is Main with a command line of its own.
func MainArgs(args []string, stores Stores) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parseFlags(flag.NewFlagSet("server", flag.ExitOnError), args, stores), stores); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the requests under way finish.
func run(ctx context.Context, o options, stores Stores) error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key go together")
	}
	store, closeStore, err := stores.Open(ctx, o.store)
	if err != nil {
		return err
	}
	defer closeStore()
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
	go as.sweep(ctx)

	server := &http.Server{Handler: as.mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
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

// issuerFor is the issuer of a server that listens on addr; on all of a machine's addresses, it is named by loopback.
func issuerFor(addr net.Addr, tls bool) string {
	scheme, host := "http://", addr.String()
	if tls {
		scheme = "https://"
	}
	if a, ok := addr.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		host = fmt.Sprintf("127.0.0.1:%d", a.Port)
	}
	return scheme + host
}
