package introspect

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

const (
	defaultTimeout = 2 * time.Second
	defaultEntries = 10_000
)

// Remote is an [Introspector] that asks an authorization server (RFC 7662 section
// 2). Use it by pointer and do not change it after the first call.
//
// It follows no redirect and reads at most 64 KiB. It accepts only a response with
// status 200 and type application/json. Anything else is an error, whose text has
// neither the token nor the secret.
type Remote struct {
	// Endpoint is the introspection endpoint: https, or http to this machine.
	// Required.
	Endpoint string
	// ClientID and ClientSecret authenticate the call by HTTP Basic (RFC 6749
	// section 2.3.1).
	ClientID     string
	ClientSecret string
	// Authenticate authenticates the call in another way, instead of ClientID
	// and ClientSecret. It may set headers. A client certificate belongs into
	// Client.
	Authenticate func(*http.Request) error
	// RootCAs are the authorities that verify the server of Endpoint. Nil means
	// those of the system.
	RootCAs *x509.CertPool
	// Client sends the calls. Nil means one with bounded defaults. With it RootCAs
	// has no effect. Its redirect policy is not used.
	Client *http.Client
	// Timeout bounds one call, including the reading of the response. Zero
	// means 2 seconds.
	Timeout time.Duration
	// AllowHTTP permits an http Endpoint on another machine. Tokens and
	// secrets are then sent without encryption.
	AllowHTTP bool

	// Issuer, if it is set, must be the iss of every active answer. An answer
	// without iss is then not active.
	Issuer string
	// ClientMap returns the local client ID for that of the server, or "" if
	// there is none; the token is then not active. Nil keeps the ID. Its result
	// is cached with the answer.
	ClientMap func(ctx context.Context, clientID string) (string, error)

	// MaxAge is how long an active answer may be used again, from the time when
	// the question was sent, and never past exp. A revocation is seen within
	// it. Zero asks each time.
	MaxAge time.Duration
	// MaxInactiveAge is the same for an answer that is not active. It is at
	// most MaxAge. Zero asks each time.
	MaxInactiveAge time.Duration
	// MaxEntries is the number of active answers that are kept, and that of
	// answers that are not active. The least recently used ones go first. Zero
	// means 10,000. An answer is kept under the SHA-256 of the token, and the
	// token is not kept.
	MaxEntries int

	once     sync.Once
	broken   error
	client   *http.Client
	active   *cache
	inactive *cache
	flights  fetch.Flight[*Token]
}

// Check returns every mistake in the configuration, joined.
func (m *Remote) Check() error {
	var errs []error
	add := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("introspect: Remote."+text))
		}
	}
	add(!m.mayCall(m.Endpoint), "Endpoint: not an https URL")
	add(m.ClientID == "" && m.ClientSecret != "", "ClientID: required with ClientSecret")
	add(m.ClientID != "" && m.Authenticate != nil, "Authenticate: contradicts ClientID")
	add(m.Timeout < 0 || m.MaxAge < 0 || m.MaxInactiveAge < 0 || m.MaxEntries < 0,
		"Timeout, MaxAge, MaxInactiveAge, MaxEntries: negative")
	add(m.MaxInactiveAge > m.MaxAge, "MaxInactiveAge: over MaxAge")
	return errors.Join(errs...)
}

// mayCall reports whether the URL may be called with tokens and the secret.
func (m *Remote) mayCall(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || loopbackHTTP(u) || u.Scheme == "http" && m.AllowHTTP
}

// String names the endpoint, so that the secret is not printed.
func (m *Remote) String() string { return "introspect.Remote(" + m.Endpoint + ")" }

// GoString is [Remote.String] for the verb %#v.
func (m *Remote) GoString() string { return m.String() }

// start prepares the first call.
func (m *Remote) start() {
	if m.broken = m.Check(); m.broken != nil {
		return
	}

	m.client = &http.Client{Transport: plainTransport(m.RootCAs)}
	if m.Client != nil {
		own := *m.Client
		m.client = &own
	}
	m.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	limit := m.MaxEntries
	if limit == 0 {
		limit = defaultEntries
	}
	m.active = newCache(limit)
	m.inactive = newCache(limit)
}

// Introspect asks the server, or the cache if there is one. With a cache, several
// calls about one token at the same time share one question. Without a cache each
// call asks, so that no answer is older than its question. A string that cannot be
// an access token is not active, and the server is not asked.
func (m *Remote) Introspect(ctx context.Context, token string) (*Token, error) {
	if m.once.Do(m.start); m.broken != nil {
		return nil, m.broken
	}
	if len(token) > maxToken || !isVisible(token) {
		return inactive(ReasonMalformed), nil
	}
	if m.MaxAge == 0 {
		return m.ask(ctx, token)
	}

	key := sha256.Sum256([]byte(token))
	now := time.Now()
	if t := m.active.find(key, now); t != nil {
		return t.clone(), nil
	}
	if t := m.inactive.find(key, now); t != nil {
		return t.clone(), nil
	}
	t, err := m.flights.Do(ctx, string(key[:]), m.MaxAge, func(ctx context.Context) (*Token, error) {
		asked := time.Now()
		t, err := m.ask(ctx, token)
		if err == nil {
			m.keep(key, t, asked)
		}
		return t, err
	})
	if err != nil {
		return nil, err
	}
	return t.clone(), nil
}

// keep puts a copy of an answer into the cache, if it may be used again.
func (m *Remote) keep(key [sha256.Size]byte, t *Token, asked time.Time) {
	if !t.Active {
		m.active.drop(key)
		m.inactive.put(key, t.clone(), asked.Add(m.MaxInactiveAge))
		return
	}
	until := asked.Add(m.MaxAge)
	if !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(until) {
		until = t.ExpiresAt
	}
	m.active.put(key, t.clone(), until)
}

// ask makes one call, and compares the answer's times and issuer.
func (m *Remote) ask(ctx context.Context, token string) (*Token, error) {
	t, err := m.call(ctx, token)
	if err != nil || !t.Active {
		return t, err
	}
	now := time.Now()
	switch {
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return inactive(ReasonExpired), nil
	case t.NotBefore.After(now.Add(futureSlack)):
		return inactive(ReasonNotYetValid), nil
	case m.Issuer != "" && t.Issuer != m.Issuer:
		return inactive(ReasonIssuer), nil
	}
	return mapClient(ctx, t, m.ClientMap)
}

// mapClient replaces the client ID by the local one.
func mapClient(ctx context.Context, t *Token, local func(context.Context, string) (string, error)) (*Token, error) {
	if local == nil {
		return t, nil
	}
	id, err := local(ctx, t.ClientID)
	if err != nil {
		return nil, fmt.Errorf("introspect: ClientMap: %w", err)
	}
	if id == "" {
		return inactive(ReasonClient), nil
	}
	t.ClientID = id
	return t, nil
}

// call sends the request of RFC 7662 section 2.1 and reads the response.
func (m *Remote) call(ctx context.Context, token string) (*Token, error) {
	timeout := m.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := m.request(ctx, token)
	if err != nil {
		return nil, err
	}

	response, err := m.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("introspect: endpoint: %w", err)
	}
	defer response.Body.Close()
	body, err := fetch.ReadBody(response, maxResponse, "application/json")
	if err != nil {
		return nil, fmt.Errorf("introspect: endpoint: %w", err)
	}
	return ParseResponse(body)
}

// request returns the authenticated request.
func (m *Remote) request(ctx context.Context, token string) (*http.Request, error) {
	form := url.Values{
		"token":           {token},
		"token_type_hint": {"access_token"},
	}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Endpoint, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("introspect: the endpoint is not a URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if m.ClientID != "" {
		// Both parts are form-urlencoded first (RFC 6749 section 2.3.1).
		r.SetBasicAuth(url.QueryEscape(m.ClientID), url.QueryEscape(m.ClientSecret))
	}
	if m.Authenticate != nil {
		if err := m.Authenticate(r); err != nil {
			return nil, fmt.Errorf("introspect: Authenticate: %w", err)
		}
	}
	return r, nil
}

// isVisible reports whether s has the form of an access token (RFC 6749 appendix
// A.12).
func isVisible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}

// plainTransport returns a transport with bounds where http.DefaultTransport has
// none.
func plainTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSHandshakeTimeout:    defaultTimeout,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		// A small response must not unfold into a large one.
		DisableCompression: true,
	}
}
