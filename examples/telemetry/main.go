// Telemetry is a server that prints its spans, metrics and events to standard output,
// through OpenTelemetry's own exporters. The file otel.go connects the library with
// OpenTelemetry and is meant to be copied.
//
// This module is never imported and never released.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	listener, err := net.Listen("tcp", *addr)
	if err == nil {
		err = run(ctx, listener, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Spans are printed when they end, metrics every ten seconds
// and at the end.
func run(ctx context.Context, listener net.Listener, out io.Writer) error {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	reader := sdkmetric.NewPeriodicReader(numbers, sdkmetric.WithInterval(10*time.Second))
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t, err := NewTelemetry(traces, metrics)
	if err != nil {
		return err
	}
	srv, secret, err := build(ctx, "http://"+listener.Addr().String(), out, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "curl -u demo:%s -d grant_type=client_credentials %s/token\n", secret, srv.Issuer())

	mux := http.NewServeMux()
	srv.Mount(mux)
	server := &http.Server{
		Handler:           t.Handler(mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	// The requests that have begun end first, so that their spans are printed.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()

	return errors.Join(server.Shutdown(last), traces.Shutdown(last), metrics.Shutdown(last))
}

// build returns a server with one client, and the secret of that client.
func build(ctx context.Context, issuer string, log io.Writer, t *Telemetry) (*grantwell.Server, string, error) {
	store := memstore.New()
	secret, hashed := grantwell.GenerateSecret()
	client := storage.Client{
		ID:           "demo",
		Secrets:      []storage.Secret{hashed},
		GrantTypes:   []string{"client_credentials"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
	}
	if err := store.PutClient(ctx, client); err != nil {
		return nil, "", err
	}
	key, err := tokens.GenerateKey(tokens.ES256)
	if err != nil {
		return nil, "", err
	}
	keys, err := tokens.StaticKeys(key)
	if err != nil {
		return nil, "", err
	}

	cfg := grantwell.Config{
		Issuer:            issuer,
		AllowHTTP:         true, // this machine only
		Clients:           store,
		Records:           store,
		Keys:              keys,
		AccessTokenFormat: "jwt",
		Grants:            []grants.Handler{grants.ClientCredentials{}},
		Logger:            slog.New(slog.NewTextHandler(log, nil)),
	}
	t.Instrument(&cfg)
	srv, err := grantwell.New(cfg)

	return srv, secret, err
}
