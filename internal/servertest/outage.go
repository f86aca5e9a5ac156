package servertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// Outage counts every call that a server makes to its store, its limiter, its keys
// and its hooks, and lets one of them fail.
type Outage struct {
	mu     sync.Mutex
	way    way
	at     int // the call that fails; 0: none
	calls  int
	failed string
}

// way says how calls fail.
type way uint8

const (
	once    way = iota // one call fails
	down               // it and all that follow fail
	lost               // one write is done, and its answer is an error
	stalled            // one call waits until its context ends
	broken             // one call panics
)

// Cut puts an Outage between a configuration and all that its server calls. Hooks that
// are set already are called after the Outage.
func Cut(t testing.TB, cfg *grantwell.Config) *Outage {
	t.Helper()
	store, ok := cfg.Records.(*memstore.Store)
	require.True(t, ok, "%T", cfg.Records)

	o := &Outage{}
	all := &cutStore{Store: store, o: o}
	cfg.Records = all
	cfg.Clients = all
	if cfg.Limiter == nil {
		cfg.Limiter = limit.NewMemory(nil)
	}
	cfg.Limiter = cutLimiter{cfg.Limiter, o}
	if cfg.Keys != nil {
		cfg.Keys = cutKeys{cfg.Keys, o}
	}
	o.cutHooks(cfg)
	return o
}

// cutHooks sets every hook of a configuration.
func (o *Outage) cutHooks(cfg *grantwell.Config) {
	hook := func(ctx context.Context, name string) error {
		return o.call(ctx, "hook "+name, func() error { return nil })
	}
	cfg.SubjectActive = func(ctx context.Context, _ string) (bool, error) {
		return true, hook(ctx, "SubjectActive")
	}
	cfg.Scopes.Decide = func(ctx context.Context, r grants.ScopeRequest) ([]string, error) {
		return r.Allowed, hook(ctx, "Decide")
	}
	for i, g := range cfg.Grants {
		p, ok := g.(grants.Password)
		if !ok {
			continue
		}
		cfg.Grants[i] = grants.Password{Authenticator: AuthenticatorFunc(
			func(ctx context.Context, l grants.Login) (grants.User, error) {
				if err := hook(ctx, "Authenticate"); err != nil {
					return grants.User{}, err
				}
				return p.Authenticator.Authenticate(ctx, l)
			})}
	}
	cfg.Hooks = grantwell.Hooks{
		BeforeAuthorize: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ *grantwell.Approval) error {
			return hook(ctx, "BeforeAuthorize")
		},
		AfterAuthorize: func(ctx context.Context, _ *grantwell.AuthorizeRequest, _ grantwell.Approval) error {
			return hook(ctx, "AfterAuthorize")
		},
		BeforeIssue:  func(ctx context.Context, _ *grantwell.Issuance) error { return hook(ctx, "BeforeIssue") },
		AfterIssue:   func(ctx context.Context, _ grantwell.Issuance) error { return hook(ctx, "AfterIssue") },
		BeforeRevoke: func(ctx context.Context, _ *introspect.Token) error { return hook(ctx, "BeforeRevoke") },
		AfterRevoke:  func(ctx context.Context, _ *introspect.Token) error { return hook(ctx, "AfterRevoke") },
		Validate:     func(ctx context.Context, _ *introspect.Token) error { return hook(ctx, "Validate") },
	}
}

// Fail lets the n-th call from now on fail.
func (o *Outage) Fail(n int) { o.set(n, once) }

// Down lets the n-th call from now on and all later ones fail.
func (o *Outage) Down(n int) { o.set(n, down) }

// Lose lets the n-th write of the store from now on fail after it was done, as it does
// when the connection breaks before the answer. Other calls are not counted.
func (o *Outage) Lose(n int) { o.set(n, lost) }

// Stall lets the n-th call from now on wait until its context ends.
func (o *Outage) Stall(n int) { o.set(n, stalled) }

// Break lets the n-th call from now on panic.
func (o *Outage) Break(n int) { o.set(n, broken) }

// Pass lets every call pass.
func (o *Outage) Pass() { o.set(0, once) }

func (o *Outage) set(n int, w way) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.way = w
	o.at = n
	o.calls = 0
	o.failed = ""
}

// Failed returns the name of the first call that failed, for example "Get code" or "hook
// Validate"; "" if none did.
func (o *Outage) Failed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// writes begin the names of calls that change the store.
var writes = []string{"Insert", "Advance", "Revoke", "PutClient", "SwapClient", "DeleteClient"}

// call makes a call, or fails.
func (o *Outage) call(ctx context.Context, name string, do func() error) error {
	fails, w := o.counts(name)
	switch {
	case !fails:
		return do()
	case w == lost:
		_ = do()
	case w == broken:
		panic(StoreFault)
	case w == stalled:
		<-ctx.Done()
		return fmt.Errorf("%s: %w", StoreFault, ctx.Err())
	}
	return errors.New(StoreFault)
}

// counts counts a call, and reports whether it fails and how.
func (o *Outage) counts(name string) (fails bool, w way) {
	o.mu.Lock()
	defer o.mu.Unlock()

	method, _, _ := strings.Cut(name, " ")
	if o.at == 0 || o.way == lost && !slices.Contains(writes, method) {
		return false, o.way
	}
	o.calls++
	if o.calls == o.at {
		o.failed = name
	}
	return o.calls == o.at || o.calls > o.at && o.way == down, o.way
}

// cutStore is a store whose calls an Outage counts.
type cutStore struct {
	*memstore.Store
	o *Outage
}

// Client implements [storage.Clients].
func (s *cutStore) Client(ctx context.Context, id string) (c storage.Client, err error) {
	err = s.o.call(ctx, "Client", func() (err error) { c, err = s.Store.Client(ctx, id); return err })
	return c, err
}

// PutClient implements [storage.Registrar].
func (s *cutStore) PutClient(ctx context.Context, c storage.Client) error {
	return s.o.call(ctx, "PutClient", func() error { return s.Store.PutClient(ctx, c) })
}

// SwapClient implements [storage.Swapper].
func (s *cutStore) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	return s.o.call(ctx, "SwapClient", func() error { return s.Store.SwapClient(ctx, old, next) })
}

// DeleteClient implements [storage.Registrar].
func (s *cutStore) DeleteClient(ctx context.Context, id string) error {
	return s.o.call(ctx, "DeleteClient", func() error { return s.Store.DeleteClient(ctx, id) })
}

// ListClients implements [storage.Registrar].
func (s *cutStore) ListClients(ctx context.Context, after string, limit int) (all []storage.Client, err error) {
	err = s.o.call(ctx, "ListClients", func() (err error) {
		all, err = s.Store.ListClients(ctx, after, limit)
		return err
	})
	return all, err
}

// Insert implements [storage.Records].
func (s *cutStore) Insert(ctx context.Context, recs ...storage.Record) error {
	name := "Insert"
	if len(recs) > 0 {
		name += " " + string(recs[0].Kind)
	}
	return s.o.call(ctx, name, func() error { return s.Store.Insert(ctx, recs...) })
}

// Get implements [storage.Records].
func (s *cutStore) Get(ctx context.Context, kind storage.Kind, key string) (rec storage.Record, err error) {
	err = s.o.call(ctx, "Get "+string(kind), func() (err error) {
		rec, err = s.Store.Get(ctx, kind, key)
		return err
	})
	return rec, err
}

// Advance implements [storage.Records].
func (s *cutStore) Advance(
	ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record,
) error {
	return s.o.call(ctx, "Advance "+string(next.Kind), func() error {
		return s.Store.Advance(ctx, from, next, inserts...)
	})
}

// Revoke implements [storage.Records].
func (s *cutStore) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	return s.o.call(ctx, "Revoke", func() error { return s.Store.Revoke(ctx, grantID, kinds...) })
}

// List implements [storage.Lister].
func (s *cutStore) List(ctx context.Context, q storage.Query) (recs []storage.Record, next string, err error) {
	err = s.o.call(ctx, "List", func() (err error) {
		recs, next, err = s.Store.List(ctx, q)
		return err
	})
	return recs, next, err
}

// cutLimiter is a limiter whose calls an Outage counts.
type cutLimiter struct {
	grants.Limiter
	o *Outage
}

// Attempt implements [grants.Limiter].
func (l cutLimiter) Attempt(ctx context.Context, key string) (done func(bool), wait time.Duration, err error) {
	err = l.o.call(ctx, "Attempt", func() (err error) {
		done, wait, err = l.Limiter.Attempt(ctx, key)
		return err
	})
	return done, wait, err
}

// cutKeys are keys whose calls an Outage counts.
type cutKeys struct {
	tokens.Keys
	o *Outage
}

// Signing implements [tokens.Keys].
func (k cutKeys) Signing(ctx context.Context) (key tokens.Key, err error) {
	err = k.o.call(ctx, "Signing", func() (err error) { key, err = k.Keys.Signing(ctx); return err })
	return key, err
}

// Published implements [tokens.Keys].
func (k cutKeys) Published(ctx context.Context) (all []tokens.Key, err error) {
	err = k.o.call(ctx, "Published", func() (err error) { all, err = k.Keys.Published(ctx); return err })
	return all, err
}
