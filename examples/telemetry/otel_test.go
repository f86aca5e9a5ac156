package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
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
	"github.com/grantwell/grantwell/grants/observe"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

const (
	issuer    = "https://as.example"
	secret    = "CANARY-5ecret-of-a-client"
	password  = "CANARY-pa55word-of-a-user"
	verifier  = "CANARY-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1"
	challenge = "6-64C6lPQC_8kUv1yMXdHUMBi6Kp1tT9E9sCuQsqNa0"
)

// rig is an instrumented server with an exporter and a reader in memory.
type rig struct {
	t       *testing.T
	store   *memstore.Store
	down    atomic.Bool // the store fails
	spans   *tracetest.InMemoryExporter
	metrics *sdkmetric.ManualReader
	handler http.Handler
	key     tokens.Key // of the party whose assertions are accepted
}

// downStore fails on demand.
type downStore struct {
	storage.Records
	down *atomic.Bool
}

func (s downStore) Insert(ctx context.Context, recs ...storage.Record) error {
	if s.down.Load() {
		return errors.New("CANARY: dial tcp 10.0.0.7: refused")
	}
	return s.Records.Insert(ctx, recs...)
}

type users struct{}

func (users) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if l.Password != password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: "CANARY-user"}, nil
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, store: memstore.New(), spans: tracetest.NewInMemoryExporter(), metrics: sdkmetric.NewManualReader()}
	telemetry, err := NewTelemetry(sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics)))
	require.NoError(t, err)
	signing, err := tokens.GenerateKey(tokens.EdDSA)
	require.NoError(t, err)
	r.key, err = tokens.GenerateKey(tokens.ES256)
	require.NoError(t, err)
	keys, err := tokens.StaticKeys(signing)
	require.NoError(t, err)
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: r.key.Signer.Public(), Use: "sig"}}})
	require.NoError(t, err)
	v, err := assertion.NewJWT(assertion.JWTConfig{Issuer: issuer, TokenEndpoint: issuer + "/token", Replay: grants.Replay{Records: r.store},
		Issuers: assertion.Issuers(assertion.Issuer{ID: "https://idp.example", JWKS: jwks})})
	require.NoError(t, err)
	cfg := grantwell.Config{Issuer: issuer, Clients: r.store, Records: downStore{r.store, &r.down}, Keys: keys, AccessTokenFormat: "jwt",
		Limiter: grantwell.NewLimiterWith(nil),
		Grants: []grants.Handler{grants.AuthorizationCode{}, grants.RefreshToken{}, grants.ClientCredentials{}, grants.Password{Authenticator: users{}},
			grants.JWTBearer{Verifier: observe.Verifier(telemetry.Observe, v)}}}
	telemetry.Instrument(&cfg)
	srv, err := grantwell.New(cfg)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", srv.Handler())
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, req *http.Request) {
		if a, ok := srv.ParseAuthorize(w, req); ok {
			srv.Approve(w, req, a, grantwell.Approval{Subject: "CANARY-user"})
		}
	})
	r.handler = telemetry.Handler(mux)
	r.client("app")
	return r
}

func (r *rig) client(id string) {
	require.NoError(r.t, r.store.PutClient(r.t.Context(), storage.Client{ID: id, Secrets: []storage.Secret{storage.HashSecret(secret)}, Scope: []string{"read"},
		DefaultScope: []string{"read"}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials", "password", assertion.GrantJWT},
		ResponseTypes: []string{"code"}, RedirectURIs: []string{"https://app.example/cb"}}))
}

// ask sends a form as a client, and returns the members of the answer and its status.
func (r *rig) ask(path, client, secret string, pairs ...string) (map[string]any, int) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	var m map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &m)
	return m, w.Code
}

func (r *rig) code() string {
	q := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"https://app.example/cb"}, "state": {"CANARY-state"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/authorize?"+q.Encode(), nil))
	u, err := url.Parse(w.Header().Get("Location"))
	require.NoError(r.t, err)
	require.NotEmpty(r.t, u.Query().Get("code"), w.Body)
	return u.Query().Get("code")
}

// assertion is one that the identity provider signed.
func (r *rig) assertion() string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: r.key.Signer}, nil)
	require.NoError(r.t, err)
	now := time.Now()
	a, err := jwt.Signed(s).Claims(map[string]any{"iss": "https://idp.example", "sub": "CANARY-bob", "aud": issuer, "iat": now.Unix(), "exp": now.Unix() + 60, "jti": fmt.Sprint(now.UnixNano())}).Serialize()
	require.NoError(r.t, err)
	return a
}

// points are the counts of a histogram by its attributes, in one line each.
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

// A request is a span, with one below it for each call that it made; both are counted, with how they ended.
// Holds S185.
func TestTelemetry_SpansAndMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, status := r.ask("/token", "app", secret, "grant_type", "client_credentials")
	require.Equal(t, 200, status)
	spans := r.spans.GetSpans()
	root := spans[len(spans)-1]
	require.Equal(t, "token", root.Name)
	require.Equal(t, codes.Unset, root.Status.Code)
	require.Subset(t, root.Attributes, []attribute.KeyValue{attribute.String("endpoint", "token"), attribute.String("outcome", "ok"),
		attribute.String("grant_type", "client_credentials"), attribute.String("client", "app"), attribute.Int("http.response.status_code", 200)})
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
	require.EqualValues(t, 1, r.points("grantwell.request.duration")["client=app,endpoint=token,grant_type=client_credentials,outcome=ok"])
	calls := r.points("grantwell.call.duration")
	require.EqualValues(t, 1, calls["call=Sign,kind=EdDSA,outcome=ok,part=signer"], calls)
	require.EqualValues(t, 1, calls["call=Insert,kind=access,outcome=ok,part=records"], calls)

	r.spans.Reset()
	r.down.Store(true)
	_, status = r.ask("/token", "app", secret, "grant_type", "client_credentials")
	require.Equal(t, 503, status)
	r.down.Store(false)
	for _, s := range r.spans.GetSpans() {
		fault := s.Name == "token" || s.Name == "records Insert"
		require.Equal(t, fault, s.Status.Code == codes.Error, s.Name)
	}
	require.EqualValues(t, 1, r.points("grantwell.request.duration")["client=app,endpoint=token,error=temporarily_unavailable,grant_type=client_credentials,outcome=failed"])
	require.EqualValues(t, 1, r.points("grantwell.call.duration")["call=Insert,kind=access,outcome=failed,part=records"])

	_, status = r.ask("/token", "app", secret, "grant_type", assertion.GrantJWT, "assertion", r.assertion())
	require.Equal(t, 200, status)
	_, status = r.ask("/token", "app", secret, "grant_type", assertion.GrantJWT, "assertion", "a.b.c")
	require.Equal(t, 400, status)
	calls = r.points("grantwell.call.duration")
	require.EqualValues(t, 1, calls["call=Verify,kind=grant,outcome=ok,part=assertion"], calls)
	require.EqualValues(t, 1, calls["call=Verify,kind=grant,outcome=refused,part=assertion"], calls)
}

// Strangers cannot make time series: their names, grant types, scopes and paths are no labels, and neither are more than some hundred clients.
// Holds S185.
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
	require.EqualValues(t, 51, points["client=other,endpoint=token,grant_type=client_credentials,outcome=ok"], "app has a label too")
}

// No span and no metric has a secret, a user, a state or the text of an error in it, whatever was asked and however it ended.
// Holds S184.
func TestTelemetry_HoldsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secrets := []string{"CANARY", base64.RawURLEncoding.EncodeToString([]byte(secret))}
	for _, down := range []bool{false, true} {
		code, used, a := r.code(), r.code(), r.assertion()
		redeem := []string{"grant_type", "authorization_code", "redirect_uri", "https://app.example/cb", "code_verifier", verifier, "code"}
		first, status := r.ask("/token", "app", secret, append(redeem, used)...)
		require.Equal(t, 200, status, first)
		access, refresh := first["access_token"].(string), first["refresh_token"].(string)
		secrets = append(secrets, code, used, a, access, refresh)
		r.down.Store(down)
		for _, form := range [][]string{append(redeem[:6:6], "code", code), append(redeem[:6:6], "code", used), {"grant_type", "refresh_token", "refresh_token", refresh},
			{"grant_type", "password", "username", "CANARY-user", "password", password}, {"grant_type", "password", "username", "CANARY-user", "password", "CANARY-wrong"},
			{"grant_type", "client_credentials", "scope", "CANARY-scope"}, {"grant_type", "CANARY-grant"}, {"grant_type", assertion.GrantJWT, "assertion", a},
			{"grant_type", assertion.GrantJWT, "assertion", a + "CANARY"}, {"token", access}, {"token", refresh}, {"token", "CANARY"}} {
			for _, path := range []string{"/token", "/introspect", "/revoke", "/token?code=" + code, "/CANARY"} {
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
		r.down.Store(false)
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
