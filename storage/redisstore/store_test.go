package redisstore

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

var safe = map[string]string{
	"appendonly":                "yes",
	"appendfsync":               "always",
	"no-appendfsync-on-rewrite": "no",
	"maxmemory-policy":          "noeviction",
	"min-replicas-to-write":     "0",
	"replicaof":                 "",
}

// answering returns an Eval that returns the same answer to every call, and counts
// the calls.
func answering(answer any, err error, calls *int) Eval {
	return func(context.Context, string, []string, ...any) (any, error) {
		*calls++
		return answer, err
	}
}

// A server that could lose acknowledged writes is refused, with a reason for each
// setting, unless the host allows it.
//
// Holds: house: durable before the answer; house: fault of Redis durability;
// house: fault of eviction.
func TestNew_RefusesForgetfulServer(t *testing.T) {
	t.Parallel()
	eval := answering(nil, nil, new(int))
	_, err := New(eval, "grantwell", safe)
	require.NoError(t, err)
	for name, value := range map[string]string{
		"appendonly": "no", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "yes", "maxmemory-policy": "volatile-ttl",
	} {
		for _, known := range []bool{true, false} {
			settings := maps.Clone(safe)
			if settings[name] = value; !known {
				delete(settings, name)
			}
			_, err := New(eval, "grantwell", settings)
			require.ErrorContains(t, err, "redisstore: "+name+" is ")
			require.Equal(t, 1, strings.Count(err.Error(), "redisstore: "))
			var warned error
			s, err := New(eval, "grantwell", settings, AllowLoss(func(e error) { warned = e }))
			require.NoError(t, err)
			require.NotNil(t, s)
			require.ErrorContains(t, warned, name)
		}
	}
	_, err = New(eval, "grantwell", nil)
	for _, name := range Settings() {
		require.ErrorContains(t, err, name)
	}
	_, err = New(eval, "grantwell", safe, AllowLoss(nil))
	require.NoError(t, err)
	_, err = New(eval, "grantwell", nil, AllowLoss(nil))
	require.NoError(t, err)
}

// All keys of a store have its prefix as their hash tag, and no prefix has keys in
// common with another one.
func TestNew_PrefixIsHashTag(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a:b", "{a}", "a}b", "a b", "é", "a\n", strings.Repeat("a", 65)} {
		_, err := New(answering(nil, nil, new(int)), bad, safe)
		require.ErrorContains(t, err, "prefix", bad)
	}
	_, err := New(nil, "grantwell", safe)
	require.Error(t, err)
	var keys []string
	s, err := New(func(_ context.Context, _ string, k []string, _ ...any) (any, error) {
		keys = append(keys, k...)
		return nil, errors.New("down")
	}, "My.app-1_x", safe)
	require.NoError(t, err)
	every(t, s, func(error) {})
	require.NotEmpty(t, keys)
	for _, k := range keys {
		require.True(t, strings.HasPrefix(k, "{My.app-1_x}:"), k)
	}
}

// every makes each call of the store once and passes its error to f.
func every(t *testing.T, s *Store, f func(error)) {
	t.Helper()
	ctx, r := t.Context(), sample()
	client := storage.Client{ID: "m", AuthMethod: storage.AuthNone, GrantTypes: []string{"password"}}
	f(s.Insert(ctx, r))
	_, err := s.Get(ctx, r.Kind, r.Key)
	f(err)
	f(s.Advance(ctx, storage.Active, r))
	f(s.Revoke(ctx, "grant"))
	_, err = s.Sweep(ctx, time.Now(), 10)
	f(err)
	_, _, err = s.List(ctx, storage.Query{})
	f(err)
	_, err = s.Client(ctx, "m")
	f(err)
	f(s.PutClient(ctx, client))
	f(s.DeleteClient(ctx, "m"))
	_, err = s.ListClients(ctx, "", 10)
	f(err)
	_, err = s.HasOrigin(ctx, "https://app.example")
	f(err)
}

// An error, or an answer that no script returns, is never a success and never one
// of the errors of package storage.
//
// Holds: house: errors never grant; house: store fails closed.
func TestStore_UnknownAnswerIsFailure(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for name, c := range map[string]struct {
		answer any
		err    error
	}{
		"down": {nil, down}, "down with an answer": {int64(1), down}, "nil": {nil, nil}, "number as text": {"1", nil}, "true": {true, nil},
		"another number": {int64(7), nil}, "status": {"OK", nil}, "map": {map[string]any{}, nil}, "list of lists": {[]any{[]any{}}, nil}, "nil in a list": {[]any{nil, nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(answering(c.answer, c.err, new(int)), "grantwell", safe)
			require.NoError(t, err)
			n := 0
			every(t, s, func(err error) {
				n++
				if name == "another number" && (n == 5 || n == 11) { // Sweep counts; HasOrigin knows 1
					return
				}
				require.Error(t, err, "call %d", n)
				for _, sentinel := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrConflict} {
					require.NotErrorIs(t, err, sentinel)
				}
				if c.err != nil {
					require.ErrorIs(t, err, down)
				}
				require.True(t, strings.HasPrefix(err.Error(), "redisstore: "), err.Error())
			})
		})
	}
}

// Client libraries return integers and strings in several types.
func TestStore_AnswerTypes(t *testing.T) {
	t.Parallel()
	r := sample()
	value := string(encode(&r, &[nonceSize]byte{}))
	for _, answer := range []any{value, []byte(value)} {
		s, err := New(answering(answer, nil, new(int)), "grantwell", safe)
		require.NoError(t, err)
		got, err := s.Get(t.Context(), r.Kind, r.Key)
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	for _, answer := range []any{1, int64(1)} {
		s, err := New(answering(answer, nil, new(int)), "grantwell", safe)
		require.NoError(t, err)
		require.NoError(t, s.Insert(t.Context(), r))
	}
	name := member(r.Kind, r.Key)
	for _, answer := range []any{[]any{"", name, value}, []any{[]byte(""), []byte(name), []byte(value)}, []string{"", name, value}, [][]byte{{}, []byte(name), []byte(value)}} {
		s, err := New(answering(answer, nil, new(int)), "grantwell", safe)
		require.NoError(t, err)
		page, next, err := s.List(t.Context(), storage.Query{})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Equal(t, []storage.Record{r}, page)
	}
}

// A record that cannot be stored, and a call with a cancelled context, are not
// sent.
func TestStore_AsksOnlyWhatMayBe(t *testing.T) {
	t.Parallel()
	calls := 0
	s, err := New(answering(nil, errors.New("down"), &calls), "grantwell", safe)
	require.NoError(t, err)
	for _, r := range []storage.Record{{Kind: "a:b", Key: "c"}, {Kind: "", Key: "c"}, {Kind: "a", Key: ""}, {Kind: "a", Key: strings.Repeat("k", 256)}, {Kind: "a", Key: "\x00"}} {
		_, err := s.Get(t.Context(), r.Kind, r.Key)
		require.ErrorIs(t, err, storage.ErrNotFound)
		require.Error(t, s.Insert(t.Context(), r))
	}
	require.NoError(t, s.Revoke(t.Context(), ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Insert(ctx, sample()), context.Canceled)
	require.ErrorIs(t, s.Revoke(ctx, ""), context.Canceled)
	_, err = s.Get(ctx, "a:b", "c")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, calls)
}
