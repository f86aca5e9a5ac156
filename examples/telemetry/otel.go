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

// maxClients bounds how many clients have a label of their own in the metrics; the others are "other".
const maxClients = 200

// Telemetry sends what a server does to OpenTelemetry: a span for each request, with one below it for each call to the store,
// the keys and the assertion verifiers, and two histograms, which count as well:
//
//	grantwell.request.duration  by endpoint, grant_type, client, outcome, error
//	grantwell.call.duration     by part, call, kind, outcome
//
// No attribute holds anything that a caller wrote: no URL, no header, no token, no name of a user. A client is named only
// if it is registered.
type Telemetry struct {
	tracer          trace.Tracer
	requests, calls metric.Float64Histogram

	mu      sync.Mutex
	clients map[string]bool // that have a label
}

// NewTelemetry makes the instruments.
func NewTelemetry(traces trace.TracerProvider, metrics metric.MeterProvider) (*Telemetry, error) {
	const scope = "github.com/grantwell/grantwell"
	t := &Telemetry{tracer: traces.Tracer(scope), clients: make(map[string]bool)}
	buckets := metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5)
	var err error
	if t.requests, err = metrics.Meter(scope).Float64Histogram("grantwell.request.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Requests by outcome.")); err != nil {
		return nil, err
	}
	t.calls, err = metrics.Meter(scope).Float64Histogram("grantwell.call.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Calls to the store, the keys and the assertion verifiers."))
	return t, err
}

// Instrument puts the telemetry into cfg, whose Clients and Records are set. Grants that verify assertions are wrapped one by
// one: grants.JWTBearer{Verifier: observe.Verifier(t.Observe, v)}.
func (t *Telemetry) Instrument(cfg *grantwell.Config) {
	cfg.Records = observe.Records(t.Observe, cfg.Records)
	cfg.Clients = observe.Clients(t.Observe, cfg.Clients)
	cfg.Keys = observe.Keys(t.Observe, cfg.Keys)
	cfg.Events = t.Event
}

// Handler gives each request its span. The span continues one that is in the request's context already, and none that a
// header names: callers from outside would decide what is traced.
func (t *Telemetry) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.tracer.Start(r.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Event is for Config.Events: it completes the request's span and counts the request. The reason of a refusal may quote
// what others wrote; it is for the log.
func (t *Telemetry) Event(ctx context.Context, e grantwell.Event) {
	attrs := []attribute.KeyValue{attribute.String("endpoint", e.Endpoint), attribute.String("outcome", e.Outcome)}
	for _, a := range []struct{ k, v string }{{"grant_type", e.GrantType}, {"error", e.Error}} {
		if a.v != "" {
			attrs = append(attrs, attribute.String(a.k, a.v))
		}
	}
	span := trace.SpanFromContext(ctx)
	span.SetName(e.Endpoint)
	span.SetAttributes(attrs...)
	span.SetAttributes(attribute.Int("http.response.status_code", e.Status), attribute.String("client", e.ClientID), attribute.String("request_id", e.RequestID))
	if e.Outcome == "failed" {
		span.SetStatus(codes.Error, e.Error)
	}
	if e.ClientID != "" {
		attrs = append(attrs, attribute.String("client", t.label(e.ClientID)))
	}
	t.requests.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(attrs...))
}

// label keeps the number of time series bounded where clients register themselves.
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

// Observe is an [observe.Observer].
func (t *Telemetry) Observe(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
	start := time.Now()
	attrs := []attribute.KeyValue{attribute.String("part", c.Part), attribute.String("call", c.Name)}
	if c.Kind != "" {
		attrs = append(attrs, attribute.String("kind", c.Kind))
	}
	ctx, span := t.tracer.Start(ctx, c.Part+" "+c.Name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, func(out observe.Outcome) {
		outcome := attribute.String("outcome", string(out))
		span.SetAttributes(outcome)
		if out.Fault() {
			span.SetStatus(codes.Error, string(out))
		}
		span.End()
		t.calls.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(append(attrs, outcome)...))
	}
}
