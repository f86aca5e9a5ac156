// Telemetry is a server that shows what it does: it prints its spans, metrics and events to standard output, through OpenTelemetry's
// own exporters. The file otel.go is all that joins the two, and is there to be copied.
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

// run serves until ctx ends. Spans are printed as they end, the metrics every ten seconds and at the end.
func run(ctx context.Context, listener net.Listener, out io.Writer) error {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers, sdkmetric.WithInterval(10*time.Second))))
	t, err := NewTelemetry(traces, metrics)
	if err != nil {
		return err
	}

	store := memstore.New()
	secret, hashed := grantwell.GenerateSecret()
	if err := store.PutClient(ctx, storage.Client{ID: "demo", Secrets: []storage.Secret{hashed}, GrantTypes: []string{"client_credentials"}, Scope: []string{"read"}}); err != nil {
		return err
	}
	key, err := tokens.GenerateKey(tokens.ES256)
	if err != nil {
		return err
	}
	keys, err := tokens.StaticKeys(key)
	if err != nil {
		return err
	}
	cfg := grantwell.Config{Issuer: "http://" + listener.Addr().String(), AllowHTTP: true, Clients: store, Records: store, Keys: keys,
		AccessTokenFormat: "jwt", Grants: []grants.Handler{grants.ClientCredentials{}}, Logger: slog.New(slog.NewTextHandler(out, nil))}
	t.Instrument(&cfg)
	srv, err := grantwell.New(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "curl -u demo:%s -d grant_type=client_credentials %s/token\n", secret, srv.Issuer())

	server := &http.Server{Handler: t.Handler(srv.Handler()), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// What is still under way ends first, so that its spans are printed.
	return errors.Join(server.Shutdown(context.Background()), traces.Shutdown(context.Background()), metrics.Shutdown(context.Background()))
}
