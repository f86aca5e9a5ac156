package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/grants/observe"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

const (
	secret    = "CANARY-5ecret-of-a-client"
	password  = "CANARY-pa55word-of-a-user"
	verifier  = "CANARY-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1"
	challenge = "6-64C6lPQC_8kUv1yMXdHUMBi6Kp1tT9E9sCuQsqNa0"
)

// rig is an instrumented server with an exporter and a reader in memory.
type rig struct {
	*servertest.Server
	t       *testing.T
	store   *servertest.Hooked
	parties servertest.Parties
	spans   *tracetest.InMemoryExporter
	metrics *sdkmetric.ManualReader
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t:       t,
		parties: servertest.NewParties(t),
		spans:   tracetest.NewInMemoryExporter(),
		metrics: sdkmetric.NewManualReader(),
	}
	telemetry, err := NewTelemetry(
		sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics)),
	)
	require.NoError(t, err)
	signing, err := tokens.GenerateKey(tokens.EdDSA)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(signing)
	require.NoError(t, err)

	r.Server = servertest.New(t, func(cfg *grantwell.Config) {
		servertest.Signed(keys)(cfg)
		r.store = servertest.HookRecords(cfg)
		cfg.Limiter = limit.NewMemory(nil)
		cfg.Grants[2] = grants.Password{Authenticator: servertest.AuthenticatorFunc(authenticate)}
		r.parties.Trust(t, cfg)
		for i, g := range cfg.Grants {
			if g, ok := g.(grants.JWTBearer); ok {
				g.Verifier = observe.Verifier(telemetry.Observe, g.Verifier)
				cfg.Grants[i] = g
			}
		}
		telemetry.Instrument(cfg)
	})
	r.Handler = telemetry.Handler(r.Handler)
	r.Approval.Subject = "CANARY-user"
	r.client("app")
	return r
}

func authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if l.Password != password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: "CANARY-user"}, nil
}

// breakStore makes the store fail, or work again.
func (r *rig) breakStore(down bool) {
	r.store.Pass()
	if down {
		r.store.Fail(errors.New("CANARY: dial tcp 10.0.0.7: refused"), "Insert")
	}
}

// client registers a client with the secret.
func (r *rig) client(id string) {
	r.AddClient(id, func(c *storage.Client) {
		c.Secrets = []storage.Secret{storage.HashSecret(secret)}
		c.Scope = []string{"read"}
		c.GrantTypes = append(c.GrantTypes, assertion.GrantJWT)
	})
}

// ask sends a form as a client, and returns the members of the answer and its
// status.
func (r *rig) ask(path, client, secret string, pairs ...string) (map[string]any, int) {
	res := r.Post(path, client+":"+secret, pairs...)
	return res.JSON, res.Status
}

func (r *rig) code() string {
	return r.Code("app", "scope", servertest.Omit, "state", "CANARY-state",
		"code_challenge", challenge)
}

// assertion returns an assertion of the other authorization server.
func (r *rig) assertion() string {
	claims := servertest.AssertionClaims(servertest.OtherAS, "CANARY-bob", servertest.Issuer)
	return servertest.SignJWT(r.t, jose.ES256, r.parties.AS, claims)
}

// points returns the counts of a histogram by its attributes.
func (r *rig) points(name string) map[string]uint64 {
	var all metricdata.ResourceMetrics
	require.NoError(r.t, r.metrics.Collect(r.t.Context(), &all))
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			require.Equal(r.t, "s", m.Unit)
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				require.GreaterOrEqual(r.t, p.Sum, 0.0)
				counts[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Count
			}
		}
	}
	return counts
}

// A request is a span, with a span below it for each call that it made. Both are
// counted with their outcome.
// Holds: house: measured without dependency.
func TestTelemetry_SpansAndMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, status := r.ask("/token", "app", secret, "grant_type", "client_credentials")
	require.Equal(t, 200, status)
	spans := r.spans.GetSpans()
	root := spans[len(spans)-1]
	require.Equal(t, "token", root.Name)
	require.Equal(t, codes.Unset, root.Status.Code)
	require.Subset(t, root.Attributes,
		[]attribute.KeyValue{attribute.String("endpoint", "token"),
			attribute.String("outcome", "ok"),
			attribute.String("grant_type", "client_credentials"), attribute.String("client", "app"),
			attribute.Int("http.response.status_code", 200)})
	var names []string
	for _, s := range spans[:len(spans)-1] {
		require.Equal(t, root.SpanContext.SpanID(), s.Parent.SpanID(), s.Name)
		require.Equal(t, root.SpanContext.TraceID(), s.SpanContext.TraceID())
		require.Contains(t, s.Attributes, attribute.String("outcome", "ok"))
		names = append(names, s.Name)
	}
	require.Contains(t, names, "clients Client")
	require.Contains(t, names, "signer Sign")
	require.Contains(t, names, "records Insert")
	require.EqualValues(t,
		1,
		r.points("grantwell.request.duration")["client=app,endpoint=token,grant_type=client_credentials,outcome=ok"],
	)
	calls := r.points("grantwell.call.duration")
	require.EqualValues(t, 1, calls["call=Sign,kind=EdDSA,outcome=ok,part=signer"], calls)
	require.EqualValues(t, 1, calls["call=Insert,kind=access,outcome=ok,part=records"], calls)

	r.spans.Reset()
	r.breakStore(true)
	_, status = r.ask("/token", "app", secret, "grant_type", "client_credentials")
	require.Equal(t, 503, status)
	r.breakStore(false)
	for _, s := range r.spans.GetSpans() {
		fault := s.Name == "token" || s.Name == "records Insert"
		require.Equal(t, fault, s.Status.Code == codes.Error, s.Name)
	}
	require.EqualValues(t,
		1,
		r.points("grantwell.request.duration")["client=app,endpoint=token,error=temporarily_unavailable,grant_type=client_credentials,outcome=failed,reason=unavailable"],
	)
	require.EqualValues(t, 1,
		r.points("grantwell.call.duration")["call=Insert,kind=access,outcome=failed,part=records"])

	_, status = r.ask("/token", "app", secret, "grant_type", assertion.GrantJWT, "assertion",
		r.assertion())
	require.Equal(t, 200, status)
	_, status = r.ask("/token", "app", secret, "grant_type", assertion.GrantJWT, "assertion",
		"a.b.c")
	require.Equal(t, 400, status)
	calls = r.points("grantwell.call.duration")
	require.EqualValues(t, 1, calls["call=Verify,kind=grant,outcome=ok,part=assertion"], calls)
	require.EqualValues(t, 1, calls["call=Verify,kind=grant,outcome=refused,part=assertion"], calls)
}

// A caller cannot make time series: no name, grant type, scope or path that it
// sends becomes a label, and only some hundred clients have one.
// Holds: house: measured without dependency.
func TestTelemetry_CardinalityIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 500 {
		s := fmt.Sprint("x", i)
		r.ask("/token", "nobody"+s, s, "grant_type", "client_credentials")
		r.ask("/token", "app", secret, "grant_type", s)
		r.ask("/token", "app", secret, "grant_type", "client_credentials", "scope", s)
		r.ask("/introspect", "app", secret, "token", s, "token_type_hint", s)
		r.ask("/"+s, "app", secret)
	}
	require.LessOrEqual(t, len(r.points("grantwell.request.duration")), 6)
	require.LessOrEqual(t, len(r.points("grantwell.call.duration")), 8)
	for i := range maxClients + 50 {
		id := fmt.Sprint("client", i)
		r.client(id)
		r.ask("/token", id, secret, "grant_type", "client_credentials")
	}
	points := r.points("grantwell.request.duration")
	require.LessOrEqual(t, len(points), maxClients+7)
	require.EqualValues(t, 51,
		points["client=other,endpoint=token,grant_type=client_credentials,outcome=ok"],
		"app has a label too")
}

// No span and no metric has a secret, a user, a state or the text of an error in
// it, for any request and any outcome.
// Holds: house: no secret in words.
func TestTelemetry_HoldsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secrets := []string{"CANARY", base64.RawURLEncoding.EncodeToString([]byte(secret))}
	for _, down := range []bool{false, true} {
		code, used, a := r.code(), r.code(), r.assertion()
		redeem := []string{"grant_type", "authorization_code", "redirect_uri",
			"https://app.example/cb", "code_verifier", verifier, "code"}
		first, status := r.ask("/token", "app", secret, append(redeem, used)...)
		require.Equal(t, 200, status, first)
		access, refresh := first["access_token"].(string), first["refresh_token"].(string)
		secrets = append(secrets, code, used, a, access, refresh)
		r.breakStore(down)
		for _, form := range [][]string{append(redeem[:6:6], "code", code),
			append(redeem[:6:6], "code", used),
			{"grant_type", "refresh_token", "refresh_token", refresh},
			{"grant_type", "password", "username", "CANARY-user", "password", password},
			{"grant_type", "password", "username", "CANARY-user", "password", "CANARY-wrong"},
			{"grant_type", "client_credentials", "scope", "CANARY-scope"},
			{"grant_type", "CANARY-grant"}, {"grant_type", assertion.GrantJWT, "assertion", a},
			{"grant_type", assertion.GrantJWT, "assertion", a + "CANARY"}, {"token", access},
			{"token", refresh}, {"token", "CANARY"}} {
			for _, path := range []string{"/token", "/introspect", "/revoke", "/token?code=" + code,
				"/CANARY"} {
				answer, _ := r.ask(path, "app", secret, form...)
				for _, name := range []string{"access_token", "refresh_token"} {
					if s, ok := answer[name].(string); ok {
						secrets = append(secrets, s)
					}
				}
				r.ask(path, "app", "CANARY-wrong", form...)
				r.ask(path, "CANARY-nobody", "CANARY-wrong", form...)
			}
		}
		r.breakStore(false)
	}
	var all metricdata.ResourceMetrics
	require.NoError(t, r.metrics.Collect(t.Context(), &all))
	said, err := json.Marshal([]any{r.spans.GetSpans(), fmt.Sprintf("%+v", all)})
	require.NoError(t, err)
	text := string(said) + fmt.Sprintf("%+v", r.spans.GetSpans())
	require.Contains(t, text, "temporarily_unavailable")
	for _, s := range secrets {
		require.False(t, strings.Contains(text, s), s)
	}
	require.Greater(t, len(secrets), 12)
}
