// Command server is an authorization server with every flow, its users, login page and a protected resource, in one
// process and in memory. It is the other end of the client programs beside it, and what other clients and test
// suites can be pointed at:
//
//	go run ./examples/server
//	go run ./examples/server -clients clients.json -users users.json -tls-cert cert.pem -tls-key key.pem
//
// It prints its endpoints, clients and users, one a line, and then "ready". Secrets and passwords of the demo clients and
// users are random and new at each start.
package main

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
	addr, issuer, tlsCert, tlsKey, clients, users, accessToken, store, demo string
	gateway, log                                                            bool
	retryWindow                                                             time.Duration
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8089", "`address` to listen on; port 0 picks a free one")
	flag.StringVar(&o.issuer, "issuer", "", "issuer `URL`; default: from -addr, https when there is a certificate")
	flag.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, a PEM `file`")
	flag.StringVar(&o.tlsKey, "tls-key", "", "its private key, a PEM `file`")
	flag.StringVar(&o.clients, "clients", "", "further clients: a JSON `file`, an array in the names of RFC 7591")
	flag.StringVar(&o.users, "users", "", "further users: a JSON `file`, an array of username, password, sub, claims")
	flag.StringVar(&o.accessToken, "access-token", "opaque", "form of access tokens: opaque or jwt (RFC 9068)")
	flag.StringVar(&o.store, "store", "memory", "where codes and tokens are kept: memory")
	flag.StringVar(&o.demo, "demo", "", "`file` that tells the client programs about this server; default: in the user's cache directory; \"-\": none")
	flag.BoolVar(&o.gateway, "gateway", false, "answer as an API gateway's OAuth service does: its paths, formats and lifetimes")
	flag.BoolVar(&o.log, "log", false, "log every outcome to standard error")
	flag.DurationVar(&o.retryWindow, "retry-window", 0, "time in which a lost refresh answer is given again, for example 10s")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "server: unexpected argument:", flag.Arg(0))
		os.Exit(2)
	}
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parseFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the requests under way finish.
func run(ctx context.Context, o options) error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key go together")
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	if o.issuer == "" {
		o.issuer = issuerFor(ln.Addr(), o.tlsCert != "")
	}
	as, err := build(o)
	if err != nil {
		return err
	}
	if err := as.announce(os.Stdout, o); err != nil {
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
