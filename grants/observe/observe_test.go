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

// log keeps what an observer heard, one call a line.
type log struct {
	mu    sync.Mutex
	lines []string
}

type within struct{}

func (l *log) observe(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
	return context.WithValue(ctx, within{}, c.Name), func(out observe.Outcome) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, strings.TrimSpace(fmt.Sprint(c.Part, " ", c.Name, " ", c.Kind))+": "+string(out))
	}
}

func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// An observed store is the store: it keeps the whole contract.
func TestRecords_KeepTheContract(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Rounds: 10, Objects: 50, Attempts: 2}, func(*testing.T) storage.Records { return observe.Records(new(log).observe, memstore.New()) })
}

// broken is a store that fails as it is told, and has no further power.
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

// Every call is told once, with how it ended and in words of the program's alone.
// Holds S184, S185.
func TestObserver_HearsEveryCall(t *testing.T) {
	t.Parallel()
	var l log
	ctx := t.Context()
	for want, err := range map[observe.Outcome]error{observe.OK: nil, observe.NotFound: fmt.Errorf("x: %w", storage.ErrNotFound), observe.Exists: storage.ErrExists,
		observe.Conflict: storage.ErrConflict, observe.Canceled: context.Canceled, observe.Timeout: context.DeadlineExceeded, observe.Failed: errors.New("secret")} {
		r := observe.Records(l.observe, broken{err})
		rec := storage.Record{Kind: storage.Code, Key: "secret"}
		require.Equal(t, err, r.Insert(ctx, rec))
		got, gerr := r.Get(ctx, storage.Refresh, "secret")
		require.Equal(t, err, gerr)
		require.Equal(t, "Get", got.Key, "the call is made in the observer's context")
		require.Equal(t, err, r.Advance(ctx, storage.Active, rec))
		require.Equal(t, err, r.Revoke(ctx, "secret"))
		end := ": " + string(want)
		require.Equal(t, []string{"records Insert code" + end, "records Get refresh" + end, "records Advance code" + end, "records Revoke" + end}, l.take())
		require.Equal(t, want == observe.Timeout || want == observe.Failed, want.Fault())
	}
	require.PanicsWithValue(t, "secret", func() { _, _ = observe.Clients(l.observe, broken{}).Client(ctx, "x") })
	require.Equal(t, []string{"clients Client: panicked"}, l.take())

	store := memstore.New()
	c := observe.Clients(l.observe, store).(storage.Registrar)
	require.NoError(t, c.PutClient(ctx, storage.Client{ID: "a", AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://a.example/cb"}}))
	list, err := c.ListClients(ctx, "", 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	found, err := c.(storage.OriginFinder).HasOrigin(ctx, "https://a.example")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, c.DeleteClient(ctx, "a"))
	_, err = c.Client(ctx, "a")
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, _, err = observe.Records(l.observe, store).(storage.Lister).List(ctx, storage.Query{Kind: storage.Access})
	require.NoError(t, err)
	_, err = observe.Records(l.observe, store).(storage.Sweeper).Sweep(ctx, time.Now(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{"clients PutClient: ok", "clients ListClients: ok", "clients HasOrigin: ok", "clients DeleteClient: ok", "clients Client: not_found",
		"records List access: ok", "records Sweep: ok"}, l.take())
}

// Further powers, each by itself.
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

// What is wrapped can do what it could, and no more; without an observer it is itself.
// Holds S185.
func TestWrappers_KeepPowers(t *testing.T) {
	t.Parallel()
	var l log
	type swapper interface {
		SwapClient(context.Context, *storage.Client, storage.Client) error
	}
	for i, c := range []storage.Clients{broken{}, struct {
		broken
		origins
	}{}, registry{}, struct {
		registry
		origins
	}{}, struct {
		registry
		swaps
	}{}, struct {
		registry
		swaps
		origins
	}{}} {
		require.Equal(t, c, observe.Clients(nil, c))
		o := observe.Clients(l.observe, c)
		_, want := c.(storage.Registrar)
		_, got := o.(storage.Registrar)
		require.Equal(t, want, got, i)
		_, want = c.(storage.OriginFinder)
		_, got = o.(storage.OriginFinder)
		require.Equal(t, want, got, i)
		_, want = c.(swapper)
		s, got := o.(swapper)
		if require.Equal(t, want, got, i); got {
			require.ErrorIs(t, s.SwapClient(t.Context(), nil, storage.Client{}), storage.ErrConflict)
		}
	}
	for i, s := range []storage.Records{broken{}, struct {
		broken
		lists
	}{}, struct {
		broken
		sweeps
	}{}, struct {
		broken
		lists
		sweeps
	}{}} {
		require.Equal(t, s, observe.Records(nil, s))
		o := observe.Records(l.observe, s)
		_, want := s.(storage.Lister)
		_, got := o.(storage.Lister)
		require.Equal(t, want, got, i)
		_, want = s.(storage.Sweeper)
		_, got = o.(storage.Sweeper)
		require.Equal(t, want, got, i)
	}
	require.Nil(t, observe.Keys(nil, nil))
	require.Nil(t, observe.Verifier(nil, nil))
}

// An observer that panics, or returns nothing, is not heard; the call is made all the same.
// Holds S180.
func TestObserver_ThatFailsIsNotHeard(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]observe.Observer{
		"panics at once": func(context.Context, observe.Call) (context.Context, func(observe.Outcome)) { panic("x") },
		"panics later": func(ctx context.Context, _ observe.Call) (context.Context, func(observe.Outcome)) {
			return ctx, func(observe.Outcome) { panic("x") }
		},
		"returns nothing": func(context.Context, observe.Call) (context.Context, func(observe.Outcome)) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memstore.New()
			rec := storage.Record{Kind: storage.Used, Key: storage.Key("x"), State: storage.Spent}
			require.NoError(t, observe.Records(o, store).Insert(t.Context(), rec))
			_, err := store.Get(t.Context(), storage.Used, rec.Key)
			require.NoError(t, err)
		})
	}
}

// Signatures of observed keys hold, whatever the key; what verifies them sees no difference.
// Holds S185.
func TestKeys_SignaturesHold(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{tokens.ES256, tokens.ES384, tokens.EdDSA, tokens.RS256, tokens.PS256} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			key, err := tokens.GenerateKey(alg)
			require.NoError(t, err)
			plain, err := tokens.StaticKeys(key)
			require.NoError(t, err)
			var l log
			now := time.Now()
			claims := tokens.Claims{Subject: "s", ClientID: "c", ID: "i", Audience: []string{"a"}, IssuedAt: now, ExpiresAt: now.Add(time.Minute)}
			token, err := tokens.JWT{Keys: observe.Keys(l.observe, plain), Issuer: "https://as.example"}.Mint(t.Context(), claims)
			require.NoError(t, err)
			require.Equal(t, []string{"signer Signing: ok", "signer Sign " + alg + ": ok"}, l.take())
			for _, keys := range []tokens.Keys{plain, observe.Keys(l.observe, plain)} {
				_, err = tokens.JWT{Keys: keys, Issuer: "https://as.example"}.Verify(t.Context(), token)
				require.NoError(t, err)
			}
			again, err := observe.Keys(l.observe, plain).Signing(t.Context())
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", again, again, again), "Value")
		})
	}
}

type verifies struct{ err error }

func (v verifies) Verify(context.Context, assertion.Request) (*assertion.Assertion, error) {
	return nil, v.err
}

// A refused assertion is an answer, a source of keys that is down is a fault.
// Holds S185.
func TestVerifier_Outcomes(t *testing.T) {
	t.Parallel()
	var l log
	for _, tt := range []struct {
		err  error
		use  assertion.Use
		want string
	}{
		{nil, assertion.Grant, "assertion Verify grant: ok"},
		{&assertion.Error{Reason: assertion.ReasonSignature}, assertion.ClientAuth, "assertion Verify client: refused"},
		{&assertion.Error{Reason: assertion.ReasonUnavailable}, assertion.Grant, "assertion Verify grant: failed"},
		{&assertion.Error{Reason: assertion.ReasonUnavailable, Err: context.DeadlineExceeded}, assertion.Grant, "assertion Verify grant: timeout"},
	} {
		_, err := observe.Verifier(l.observe, verifies{tt.err}).Verify(t.Context(), assertion.Request{Use: tt.use, Assertion: "secret"})
		require.Equal(t, tt.err, err)
		require.Equal(t, []string{tt.want}, l.take())
	}
}
