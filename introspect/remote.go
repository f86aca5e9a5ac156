package introspect

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
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

// Remote is an [Introspector] that asks an authorization server (RFC 7662 section 2). Use it by pointer
// and do not change it after the first call.
//
// It follows no redirect, reads at most 64 KiB, and takes only a 200 with application/json for an
// answer; anything else is an error that holds neither the token nor the secret.
type Remote struct {
	// Endpoint is the introspection endpoint: https, or http to this machine. Required.
	Endpoint string
	// ClientID and ClientSecret authenticate the call by HTTP Basic (RFC 6749 section 2.3.1).
	ClientID, ClientSecret string
	// Authenticate authenticates the call in another way, instead of ClientID and ClientSecret: it may
	// set headers. Certificates belong into Client.
	Authenticate func(*http.Request) error
	// Client sends the calls; nil: one with bounded defaults. Its redirect policy is not used.
	Client *http.Client
	// Timeout bounds one call, the reading included. 2 seconds when zero.
	Timeout time.Duration
	// AllowHTTP permits an http Endpoint on another machine: tokens and secrets then travel in the clear.
	AllowHTTP bool

	// Issuer, when set, must be the iss of every active answer: an answer without one is then not active.
	Issuer string
	// ClientMap turns the server's client id into a local one: "" when there is none, and the token is
	// then not active. Nil keeps the id. Its answer is cached with the token's.
	ClientMap func(ctx context.Context, clientID string) (string, error)

	// MaxAge is how long an active answer may be used again, counted from the moment that the question was
	// sent, and never past exp: a revocation is seen within it. Zero asks each time.
	MaxAge time.Duration
	// MaxInactiveAge is the same for an answer that is not active; it is at most MaxAge. Zero asks each time.
	MaxInactiveAge time.Duration
	// MaxEntries bounds how many answers are kept of each of the two kinds; the least recently used go first.
	// 10,000 when zero. An entry is filed under the SHA-256 of the token; the token is not kept.
	MaxEntries int

	once             sync.Once
	broken           error
	client           *http.Client
	active, inactive *cache
	flights          fetch.Flight[*Token]
}

// Check returns every mistake in the configuration, joined.
func (m *Remote) Check() error {
	var errs []error
	add := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("introspect: Remote."+text))
		}
	}
	u, err := url.Parse(m.Endpoint)
	if err != nil {
		u = &url.URL{}
	}
	add(u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !loopbackHTTP(u) && !(u.Scheme == "http" && m.AllowHTTP),
		"Endpoint: not an https URL")
	add(m.ClientID == "" && m.ClientSecret != "", "ClientID: required with ClientSecret")
	add(m.ClientID != "" && m.Authenticate != nil, "Authenticate: contradicts ClientID")
	add(m.Timeout < 0 || m.MaxAge < 0 || m.MaxInactiveAge < 0 || m.MaxEntries < 0, "Timeout, MaxAge, MaxInactiveAge, MaxEntries: negative")
	add(m.MaxInactiveAge > m.MaxAge, "MaxInactiveAge: over MaxAge")
	return errors.Join(errs...)
}

// String names the endpoint, and so keeps the secret out of what is printed.
func (m *Remote) String() string { return "introspect.Remote(" + m.Endpoint + ")" }

// GoString is String, for %#v.
func (m *Remote) GoString() string { return m.String() }

func (m *Remote) start() {
	if m.broken = m.Check(); m.broken != nil {
		return
	}
	m.client = &http.Client{Transport: plainTransport()}
	if m.Client != nil {
		own := *m.Client
		m.client = &own
	}
	m.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	limit := m.MaxEntries
	if limit == 0 {
		limit = defaultEntries
	}
	m.active, m.inactive = newCache(limit), newCache(limit)
}

// Introspect asks the server, or the cache when there is one. Of several calls about one token at one
// time, with a cache, one asks for all; without a cache each asks, so that none gets an answer older than
// its question. What cannot be an access token is answered without asking.
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

// keep files a copy of an answer, if it may be used again at all.
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

// ask makes one call and judges what the answer says about itself.
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

// mapClient puts the local client id into t.
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

func (m *Remote) call(ctx context.Context, token string) (*Token, error) {
	timeout := m.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Endpoint, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("introspect: the endpoint is not a URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if m.ClientID != "" {
		r.SetBasicAuth(url.QueryEscape(m.ClientID), url.QueryEscape(m.ClientSecret))
	}
	if m.Authenticate != nil {
		if err := m.Authenticate(r); err != nil {
			return nil, fmt.Errorf("introspect: Authenticate: %w", err)
		}
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

// isVisible reports whether s is an access token of RFC 6749 appendix A.12.
func isVisible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}

// plainTransport is bounded in everything that http.DefaultTransport leaves open.
func plainTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSHandshakeTimeout:    defaultTimeout,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true, // a small answer must not unfold into a large one
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
}
