package observe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants/observe"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
	"github.com/grantwell/grantwell/tokens"
)

// log is an observer that keeps one line for each call.
type log struct {
	mu    sync.Mutex
	lines []string
}

// within is the context key of the name of the observed call.
type within struct{}

func (l *log) observe(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
	call := strings.TrimSpace(fmt.Sprint(c.Part, " ", c.Name, " ", c.Kind))
	return context.WithValue(ctx, within{}, c.Name), func(out observe.Outcome) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, call+": "+string(out))
	}
}

// take returns the lines since the last call.
func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// An observed store keeps the contract of the store.
func TestRecords_KeepTheContract(t *testing.T) {
	t.Parallel()
	few := storagetest.Options{Rounds: 10, Objects: 50, Attempts: 2}
	storagetest.RunWith(t, few, func(*testing.T) storage.Records {
		return observe.Records(new(log).observe, memstore.New())
	})
}

// broken is a store whose calls return err. It implements no further interface. Client
// panics if err is nil.
type broken struct{ err error }

func (b broken) Client(ctx context.Context, _ string) (storage.Client, error) {
	if b.err == nil {
		panic("secret")
	}
	return storage.Client{}, b.err
}
func (b broken) Insert(context.Context, ...storage.Record) error { return b.err }
func (b broken) Get(ctx context.Context, _ storage.Kind, _ string) (storage.Record, error) {
	return storage.Record{Key: ctx.Value(within{}).(string)}, b.err
}
func (b broken) Advance(context.Context, storage.State, storage.Record, ...storage.Record) error {
	return b.err
}
func (b broken) Revoke(context.Context, string, ...storage.Kind) error { return b.err }

// Every call is observed once, with its outcome and without a value of the request.
// Holds: house: measured without dependency; house: no secret in words.
func TestObserver_SeesEveryCallOnce(t *testing.T) {
	t.Parallel()
	var l log
	ctx := t.Context()
	for want, err := range map[observe.Outcome]error{
		observe.OK:       nil,
		observe.NotFound: fmt.Errorf("x: %w", storage.ErrNotFound),
		observe.Exists:   storage.ErrExists,
		observe.Conflict: storage.ErrConflict,
		observe.Canceled: context.Canceled,
		observe.Timeout:  context.DeadlineExceeded,
		observe.Failed:   errors.New("secret"),
	} {
		r := observe.Records(l.observe, broken{err})
		rec := storage.Record{Kind: storage.Code, Key: "secret"}
		require.Equal(t, err, r.Insert(ctx, rec))
		got, readErr := r.Get(ctx, storage.Refresh, "secret")
		require.Equal(t, err, readErr)
		require.Equal(t, "Get", got.Key, "the call is made in the observer's context")
		require.Equal(t, err, r.Advance(ctx, storage.Active, rec))
		require.Equal(t, err, r.Revoke(ctx, "secret"))

		end := ": " + string(want)
		require.Equal(t, []string{
			"records Insert code" + end,
			"records Get refresh" + end,
			"records Advance code" + end,
			"records Revoke" + end,
		}, l.take())
		require.Equal(t, want == observe.Timeout || want == observe.Failed, want.Fault())
	}
}

// A panic of the store is observed, and goes on to the caller.
func TestObserver_SeesPanics(t *testing.T) {
	t.Parallel()
	var l log
	clients := observe.Clients(l.observe, broken{})
	require.PanicsWithValue(t, "secret", func() { _, _ = clients.Client(t.Context(), "x") })
	require.Equal(t, []string{"clients Client: panicked"}, l.take())
}

// The calls of a store's further interfaces are observed too.
func TestObserver_SeesFurtherInterfaces(t *testing.T) {
	t.Parallel()
	var l log
	ctx := t.Context()
	store := memstore.New()
	c := observe.Clients(l.observe, store).(storage.Registrar)
	require.NoError(t, c.PutClient(ctx, storage.Client{
		ID:           "a",
		AuthMethod:   storage.AuthNone,
		RedirectURIs: []string{"https://a.example/cb"},
	}))
	list, err := c.ListClients(ctx, "", 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	found, err := c.(storage.OriginFinder).HasOrigin(ctx, "https://a.example")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, c.DeleteClient(ctx, "a"))
	_, err = c.Client(ctx, "a")
	require.ErrorIs(t, err, storage.ErrNotFound)

	records := observe.Records(l.observe, store)
	_, _, err = records.(storage.Lister).List(ctx, storage.Query{Kind: storage.Access})
	require.NoError(t, err)
	_, err = records.(storage.Sweeper).Sweep(ctx, time.Now(), 1)
	require.NoError(t, err)

	require.Equal(t, []string{
		"clients PutClient: ok",
		"clients ListClients: ok",
		"clients HasOrigin: ok",
		"clients DeleteClient: ok",
		"clients Client: not_found",
		"records List access: ok",
		"records Sweep: ok",
	}, l.take())
}

// The further interfaces of a store, each alone.
type (
	origins  struct{ storage.OriginFinder }
	registry struct{ storage.Registrar }
	swaps    struct{}
	lists    struct{ storage.Lister }
	sweeps   struct{ storage.Sweeper }
)

func (swaps) SwapClient(context.Context, *storage.Client, storage.Client) error {
	return storage.ErrConflict
}

// swapper is the interface that swaps implements.
type swapper interface {
	SwapClient(context.Context, *storage.Client, storage.Client) error
}

// An observed client store implements the interfaces that the store implements, and no
// others.
// Holds: house: measured without dependency.
func TestClients_KeepTheirInterfaces(t *testing.T) {
	t.Parallel()
	var l log
	type (
		findingOnly struct {
			broken
			origins
		}
		registeringFinding struct {
			registry
			origins
		}
		swapping struct {
			registry
			swaps
		}
		whole struct {
			registry
			swaps
			origins
		}
	)
	for _, c := range []storage.Clients{
		broken{}, findingOnly{}, registry{}, registeringFinding{}, swapping{}, whole{},
	} {
		require.Equal(t, c, observe.Clients(nil, c))
		o := observe.Clients(l.observe, c)

		_, want := c.(storage.Registrar)
		_, got := o.(storage.Registrar)
		require.Equal(t, want, got, "%T", c)
		_, want = c.(storage.OriginFinder)
		_, got = o.(storage.OriginFinder)
		require.Equal(t, want, got, "%T", c)
		_, want = c.(swapper)
		s, got := o.(swapper)
		require.Equal(t, want, got, "%T", c)
		if got {
			err := s.SwapClient(t.Context(), nil, storage.Client{})
			require.ErrorIs(t, err, storage.ErrConflict)
		}
	}
}

// Observed records implement the interfaces that the store implements, and no others.
// Holds: house: measured without dependency.
func TestRecords_KeepTheirInterfaces(t *testing.T) {
	t.Parallel()
	var l log
	type (
		listing struct {
			broken
			lists
		}
		sweeping struct {
			broken
			sweeps
		}
		whole struct {
			broken
			lists
			sweeps
		}
	)
	for _, s := range []storage.Records{broken{}, listing{}, sweeping{}, whole{}} {
		require.Equal(t, s, observe.Records(nil, s))
		o := observe.Records(l.observe, s)

		_, want := s.(storage.Lister)
		_, got := o.(storage.Lister)
		require.Equal(t, want, got, "%T", s)
		_, want = s.(storage.Sweeper)
		_, got = o.(storage.Sweeper)
		require.Equal(t, want, got, "%T", s)
	}
	require.Nil(t, observe.Keys(nil, nil))
	require.Nil(t, observe.Verifier(nil, nil))
}

// If an observer panics or returns nil, the call is made all the same.
// Holds: house: hooks refuse.
func TestObserver_FailureDoesNotStopTheCall(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]observe.Observer{
		"panics at the start": func(context.Context, observe.Call) (context.Context, func(observe.Outcome)) {
			panic("x")
		},
		"panics at the end": func(ctx context.Context, _ observe.Call) (context.Context, func(observe.Outcome)) {
			return ctx, func(observe.Outcome) { panic("x") }
		},
		"returns nil": func(context.Context, observe.Call) (context.Context, func(observe.Outcome)) {
			return nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memstore.New()
			rec := storage.Record{
				Kind:  storage.Used,
				Key:   storage.Key("x"),
				State: storage.Spent,
			}
			require.NoError(t, observe.Records(o, store).Insert(t.Context(), rec))
			_, err := store.Get(t.Context(), storage.Used, rec.Key)
			require.NoError(t, err)
		})
	}
}

// Observed keys make valid signatures with every algorithm.
// Holds: house: measured without dependency.
func TestKeys_SignaturesAreValid(t *testing.T) {
	t.Parallel()
	algorithms := []string{
		tokens.ES256, tokens.ES384, tokens.EdDSA, tokens.RS256, tokens.PS256,
	}
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			key, err := tokens.GenerateKey(alg)
			require.NoError(t, err)
			plain, err := tokens.StaticKeys(key)
			require.NoError(t, err)
			var l log
			observed := tokens.JWT{
				Keys:   observe.Keys(l.observe, plain),
				Issuer: "https://as.example",
			}
			now := time.Now()
			token, err := observed.Mint(t.Context(), tokens.Claims{
				Subject:   "s",
				ClientID:  "c",
				ID:        "i",
				Audience:  []string{"a"},
				IssuedAt:  now,
				ExpiresAt: now.Add(time.Minute),
			})
			require.NoError(t, err)
			require.Equal(t, []string{"signer Signing: ok", "signer Sign " + alg + ": ok"}, l.take())

			for _, v := range []tokens.JWT{observed, {Keys: plain, Issuer: observed.Issuer}} {
				_, err = v.Verify(t.Context(), token)
				require.NoError(t, err)
			}

			// A key that is printed shows nothing of the private key.
			again, err := observe.Keys(l.observe, plain).Signing(t.Context())
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", again, again, again), "Value")
		})
	}
}

// verifies is a verifier that returns err.
type verifies struct{ err error }

func (v verifies) Verify(context.Context, assertion.Request) (*assertion.Assertion, error) {
	return nil, v.err
}

// A refused assertion is no fault. A key source that is down is a fault.
// Holds: house: measured without dependency.
func TestVerifier_Outcomes(t *testing.T) {
	t.Parallel()
	var l log
	down := &assertion.Error{Reason: assertion.ReasonUnavailable}
	late := &assertion.Error{
		Reason: assertion.ReasonUnavailable,
		Err:    context.DeadlineExceeded,
	}
	wrong := &assertion.Error{Reason: assertion.ReasonSignature}
	for _, tt := range []struct {
		err  error
		use  assertion.Use
		want string
	}{
		{nil, assertion.Grant, "assertion Verify grant: ok"},
		{wrong, assertion.ClientAuth, "assertion Verify client: refused"},
		{down, assertion.Grant, "assertion Verify grant: failed"},
		{late, assertion.Grant, "assertion Verify grant: timeout"},
	} {
		v := observe.Verifier(l.observe, verifies{tt.err})
		_, err := v.Verify(t.Context(), assertion.Request{Use: tt.use, Assertion: "secret"})
		require.Equal(t, tt.err, err)
		require.Equal(t, []string{tt.want}, l.take())
	}
}
