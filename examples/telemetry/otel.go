package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants/observe"
)

// maxClients bounds how many clients have a label of their own in the metrics. All
// further ones share the label "other".
const maxClients = 200

// Telemetry sends the work of a server to OpenTelemetry. Each request is a span, with a
// span below it for each call of the store, the keys and the assertion verifiers. Two
// histograms measure durations, and count as well:
//
//	grantwell.request.duration  by endpoint, grant_type, client, outcome, error, reason
//	grantwell.call.duration     by part, call, kind, outcome
//
// No attribute has a value that a caller wrote: no URL, no header, no token, no name of
// a user. A client is named only if it is registered.
type Telemetry struct {
	tracer   trace.Tracer
	requests metric.Float64Histogram
	calls    metric.Float64Histogram

	mu      sync.Mutex
	clients map[string]bool // those that have a label
}

// NewTelemetry makes the instruments.
func NewTelemetry(traces trace.TracerProvider, metrics metric.MeterProvider) (*Telemetry, error) {
	const scope = "github.com/grantwell/grantwell"
	// In seconds: a call of a store in memory takes microseconds, a request up to two
	// seconds.
	buckets := metric.WithExplicitBucketBoundaries(
		.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5,
	)
	meter := metrics.Meter(scope)
	requests, err := meter.Float64Histogram(
		"grantwell.request.duration",
		metric.WithUnit("s"),
		buckets,
		metric.WithDescription("Requests by outcome."),
	)
	if err != nil {
		return nil, err
	}
	calls, err := meter.Float64Histogram(
		"grantwell.call.duration",
		metric.WithUnit("s"),
		buckets,
		metric.WithDescription("Calls to the store, the keys and the assertion verifiers."),
	)
	if err != nil {
		return nil, err
	}

	return &Telemetry{
		tracer:   traces.Tracer(scope),
		requests: requests,
		calls:    calls,
		clients:  make(map[string]bool),
	}, nil
}

// Instrument puts the telemetry into a configuration, whose Clients and Records are set.
// Assertion verifiers are wrapped where they are used:
//
//	grants.JWTBearer{Verifier: observe.Verifier(t.Observe, v)}
func (t *Telemetry) Instrument(cfg *grantwell.Config) {
	cfg.Records = observe.Records(t.Observe, cfg.Records)
	cfg.Clients = observe.Clients(t.Observe, cfg.Clients)
	cfg.Keys = observe.Keys(t.Observe, cfg.Keys)
	cfg.Events = t.Event
}

// Handler gives each request its span. The span continues one that is in the request's
// context already. It ignores a trace that a header names, because callers from outside
// would otherwise decide what is traced.
func (t *Telemetry) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.tracer.Start(r.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Event is the function for Config.Events. It completes the request's span and counts
// the request. It leaves out the event's Cause, which may quote what a caller wrote and
// is for the log only.
func (t *Telemetry) Event(ctx context.Context, e grantwell.Event) {
	attrs := []attribute.KeyValue{
		attribute.String("endpoint", e.Endpoint),
		attribute.String("outcome", e.Outcome),
	}
	for _, a := range []struct{ name, value string }{
		{"grant_type", e.GrantType},
		{"error", e.Error},
		{"reason", string(e.Reason)},
	} {
		if a.value != "" {
			attrs = append(attrs, attribute.String(a.name, a.value))
		}
	}

	span := trace.SpanFromContext(ctx)
	span.SetName(e.Endpoint)
	span.SetAttributes(attrs...)
	span.SetAttributes(
		attribute.Int("http.response.status_code", e.Status),
		attribute.String("client", e.ClientID),
		attribute.String("request_id", e.RequestID),
	)
	if e.Outcome == "failed" {
		span.SetStatus(codes.Error, e.Error)
	}

	if e.ClientID != "" {
		attrs = append(attrs, attribute.String("client", t.label(e.ClientID)))
	}
	t.requests.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(attrs...))
}

// label returns the label of a client. It bounds the number of time series where
// clients register themselves.
func (t *Telemetry) label(client string) string {
	t.mu.Lock()
	defer t.mu.Unlock()

	if !t.clients[client] {
		if len(t.clients) >= maxClients {
			return "other"
		}
		t.clients[client] = true
	}

	return client
}

// Observe is an [observe.Observer]. It gives each call a span and measures it.
func (t *Telemetry) Observe(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
	start := time.Now()
	attrs := []attribute.KeyValue{
		attribute.String("part", c.Part),
		attribute.String("call", c.Name),
	}
	if c.Kind != "" {
		attrs = append(attrs, attribute.String("kind", c.Kind))
	}
	ctx, span := t.tracer.Start(
		ctx,
		c.Part+" "+c.Name,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attrs...),
	)

	return ctx, func(out observe.Outcome) {
		outcome := attribute.String("outcome", string(out))
		span.SetAttributes(outcome)
		if out.Fault() {
			span.SetStatus(codes.Error, string(out))
		}
		span.End()
		seconds := time.Since(start).Seconds()
		t.calls.Record(ctx, seconds, metric.WithAttributes(append(attrs, outcome)...))
	}
}
