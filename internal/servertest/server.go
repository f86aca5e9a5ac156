package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Store is what a [Server] keeps its clients and records in. The stores of this
// module implement it.
type Store interface {
	storage.Records
	storage.Registrar
}

// Server is an authorization server under test, with its store.
type Server struct {
	// AS is the server that the test is about.
	AS *grantwell.Server

	// Store is the store that the server was built over. A test reads and
	// edits it directly, also when Config wraps it in another store.
	Store Store

	// Handler serves every request that is sent by Do, in this process or
	// over the listener. By default it serves all endpoints of AS and
	// approves each authorization request at /authorize. A test may replace
	// it before the first request.
	Handler http.Handler

	// Approval is the answer to each authorization request at /authorize.
	Approval grantwell.Approval

	// URL is the base URL of the listener. It is empty before Listen.
	URL string

	t        testing.TB
	mux      *http.ServeMux
	listener *httptest.Server
	client   *http.Client

	mu     sync.Mutex
	events []grantwell.Event
}

// New builds a server over a new memory store that holds [Clients]. change
// edits the configuration before the server is built; it may be nil.
func New(t testing.TB, change func(*grantwell.Config)) *Server {
	t.Helper()
	store := memstore.New()
	Register(t, store, Clients()...)
	return On(t, store, change)
}

// On builds a server over a store that has its clients already. Two servers
// over one store are two instances of one service.
func On(t testing.TB, store Store, change func(*grantwell.Config)) *Server {
	t.Helper()
	s := &Server{
		Store:    store,
		Approval: grantwell.Approval{Subject: Subject},
		t:        t,
	}

	cfg := grantwell.Config{
		Issuer:  Issuer,
		Clients: store,
		Records: store,
		Events:  s.record,
		Grants: []grants.Handler{
			grants.AuthorizationCode{},
			grants.Implicit{},
			grants.Password{Authenticator: Users{Username: Password}},
			grants.ClientCredentials{},
			// A second use ends the family at once, so that tests of reuse need
			// no clock. Tests of the forgiving default ask for it.
			grants.RefreshToken{Strict: true},
		},
	}
	if change != nil {
		change(&cfg)
	}

	var err error
	s.AS, err = grantwell.New(cfg)
	require.NoError(t, err)

	s.mux = http.NewServeMux()
	s.mux.Handle("/", s.AS.Handler())
	s.mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		s.Approving(s.Approval)(w, r)
	})
	s.Handler = s.mux
	return s
}

// Register stores clients.
func Register(t testing.TB, store storage.Registrar, clients ...storage.Client) {
	t.Helper()
	for _, c := range clients {
		require.NoError(t, store.PutClient(t.Context(), c))
	}
}

// WithRefresh returns a change of the configuration that puts another refresh
// token grant in place of the default one. It is the last grant of the list.
func WithRefresh(g grants.RefreshToken) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { cfg.Grants[len(cfg.Grants)-1] = g }
}

// LongTimeout gives requests a minute. Tests that load the machine use it, so
// that a passed deadline does not hide what they look for.
func LongTimeout(cfg *grantwell.Config) { cfg.Timeout = time.Minute }

// LogTo writes the server's log to a buffer, one JSON object a line, with the
// records of all levels.
func LogTo(cfg *grantwell.Config, log *bytes.Buffer) {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	cfg.Logger = slog.New(slog.NewJSONHandler(log, options))
}

// Listen puts the server behind a listener on this machine, which is closed
// when the test ends, and returns the server. From then on requests are sent
// over HTTP. Redirects are not followed.
func (s *Server) Listen() *Server {
	s.t.Helper()
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Handler.ServeHTTP(w, r)
	}))
	s.t.Cleanup(listener.Close)

	s.listener = listener
	s.URL = listener.URL
	s.client = listener.Client()
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return s
}

// Handle adds a route to the handler that New built. Handle is not for a test
// that replaces Handler.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Close closes the listener before the test ends. It waits for requests in
// progress.
func (s *Server) Close() { s.listener.Close() }

// Client returns the HTTP client of the listener. It is nil before Listen.
func (s *Server) Client() *http.Client { return s.client }

// Approving returns a handler that approves every authorization request. A
// request that is refused is answered before.
func (s *Server) Approving(a grantwell.Approval) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if req, ok := s.AS.ParseAuthorize(w, r); ok {
			s.AS.Approve(w, r, req, a)
		}
	}
}

// Do sends a request, over the listener if there is one.
func (s *Server) Do(req *http.Request) Reply {
	if s.client == nil {
		return Serve(s.Handler, req)
	}
	return s.send(req)
}

// send sends a request that was made for this process over the listener.
func (s *Server) send(req *http.Request) Reply {
	base, err := url.Parse(s.URL)
	if err != nil {
		return failed(err)
	}

	out := req.Clone(req.Context())
	out.RequestURI = "" // a client's request must not have one
	out.URL.Scheme = base.Scheme
	out.URL.Host = base.Host

	res, err := s.client.Do(out)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return failed(err)
	}
	return newReply(res.StatusCode, res.Header, body)
}

// Serve serves a request by a handler, in this goroutine.
func Serve(h http.Handler, req *http.Request) Reply {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return newReply(w.Code, w.Result().Header, w.Body.Bytes())
}

func newReply(status int, header http.Header, body []byte) Reply {
	r := Reply{
		Status: status,
		Header: header,
		Body:   string(body),
	}
	// The body of a page or a redirect is no JSON.
	_ = json.Unmarshal(body, &r.JSON)
	return r
}

func failed(err error) Reply {
	return Reply{
		Body: err.Error(),
		Err:  err,
	}
}

// record keeps an event of the server. Every test holds that a request that was
// refused has an error and a reason of the list, and one that was answered no error.
func (s *Server) record(_ context.Context, e grantwell.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if e.Outcome != "ok" && (e.Error == "" || !slices.Contains(grants.Reasons(), e.Reason)) {
		s.t.Errorf("%s was %s with the error %q and the reason %q: %s", e.Endpoint, e.Outcome, e.Error, e.Reason, e.Cause)
	}
	if e.Outcome == "ok" && e.Error != "" {
		s.t.Errorf("%s was answered and has the error %q", e.Endpoint, e.Error)
	}
	s.events = append(s.events, e)
}

// Events returns the events so far, oldest first. There are none if the test
// set Events of the configuration.
func (s *Server) Events() []grantwell.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]grantwell.Event(nil), s.events...)
}

// LastEvent returns the newest event, and stops the test if there is none.
func (s *Server) LastEvent() grantwell.Event {
	s.t.Helper()
	events := s.Events()
	require.NotEmpty(s.t, events)
	return events[len(events)-1]
}

// Parallel runs f n times at once, with the numbers 0 to n-1, and returns when
// all calls have returned.
func Parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}
