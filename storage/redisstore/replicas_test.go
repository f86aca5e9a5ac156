package redisstore

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// acknowledging returns an EvalWait that returns the same to every call.
func acknowledging(answer any, replicas int64, err error) EvalWait {
	return func(context.Context, int, time.Duration, string, []string, ...any) (any, int64, error) {
		return answer, replicas, err
	}
}

// with returns the safe settings with some replaced. A value "-" removes one.
func with(pairs ...string) map[string]string {
	settings := maps.Clone(safe)
	for i := 0; i < len(pairs); i += 2 {
		if settings[pairs[i]] = pairs[i+1]; pairs[i+1] == "-" {
			delete(settings, pairs[i])
		}
	}
	return settings
}

// A server whose replica could be promoted without the acknowledged writes is
// refused, with the setting named. A replica is refused in any case.
//
// Holds: house: durable before the answer; house: fault of Redis failover.
func TestNew_RefusesReplicasThatLag(t *testing.T) {
	t.Parallel()
	eval := answering(nil, nil, new(int))
	wait := WaitReplicas(2, time.Second, acknowledging(int64(1), 2, nil))
	for _, c := range []struct {
		settings map[string]string
		option   Option // nil: none
		refused  string // empty: accepted
		always   bool   // AllowLoss does not help
	}{
		{with(), nil, "", false},
		{with("min-replicas-to-write", "1"), nil, "min-replicas-to-write is 1", false},
		{with("min-replicas-to-write", "-"), nil, "min-replicas-to-write is not known", false},
		{with("min-replicas-to-write", "many"), nil, "min-replicas-to-write is \"many\"", false},
		{with("min-replicas-to-write", "2"), wait, "", false},
		{with("min-replicas-to-write", "3"), wait, "", false},
		{with("min-replicas-to-write", "1"), wait, "min-replicas-to-write is 1", false},
		{with(), wait, "min-replicas-to-write is 0", false},
		{with("role", "master", "connected_slaves", "0"), nil, "", false},
		{with("role", "master", "connected_slaves", "1"), nil, "connected_slaves is \"1\"", false},
		{with("min-replicas-to-write", "2", "connected_slaves", "2"), wait, "", false},
		{with("replicaof", "-"), nil, "replicaof is not known", false},
		{with("replicaof", "10.0.0.1 6379"), nil, "replicaof is \"10.0.0.1 6379\"", true},
		{with("role", "slave"), nil, "role is \"slave\"", true},
	} {
		options := []Option{AllowLoss(nil)}
		if c.option != nil {
			options = append(options, c.option)
		}
		_, err := New(eval, "grantwell", c.settings, options[1:]...)
		_, allowed := New(eval, "grantwell", c.settings, options...)
		if c.refused == "" {
			require.NoError(t, err, c.settings)
		} else {
			require.ErrorContains(t, err, "redisstore: "+c.refused)
		}
		if c.always {
			require.ErrorContains(t, allowed, "redisstore: "+c.refused)
		} else {
			require.NoError(t, allowed, c.settings)
		}
	}
}

// WAIT with a timeout of zero has no end, and without replicas it waits for none.
func TestWaitReplicas_RefusesBadArguments(t *testing.T) {
	t.Parallel()
	good := acknowledging(int64(1), 1, nil)
	for want, option := range map[string]Option{
		"1 replica": WaitReplicas(0, time.Second, good),
		"1 ms":      WaitReplicas(1, time.Microsecond, good),
		"EvalWait":  WaitReplicas(1, time.Second, nil),
		"not -1":    WaitReplicas(-1, time.Second, good),
	} {
		_, err := New(answering(nil, nil, new(int)), "grantwell", with("min-replicas-to-write", "1"), option, AllowLoss(nil))
		require.ErrorContains(t, err, "redisstore: ")
		require.ErrorContains(t, err, want)
	}
}

// A write succeeds, or is refused, only if enough replicas have what its script saw.
// Otherwise it is an error that is none of package storage.
//
// Holds: house: errors never grant; house: fault of Redis failover;
// house: unknown outcome.
func TestWaitReplicas_TooFewAreNoAnswer(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	writes := func(s *Store) []error {
		ctx, r := t.Context(), sample()
		client := storage.Client{ID: "m", AuthMethod: storage.AuthNone, GrantTypes: []string{"password"}}
		return []error{
			s.Insert(ctx, r),
			s.Advance(ctx, storage.Active, r),
			s.Revoke(ctx, "grant"),
			s.PutClient(ctx, client),
			s.SwapClient(ctx, nil, client),
			s.DeleteClient(ctx, "m"),
		}
	}
	for _, c := range []struct {
		answer   any
		replicas int64
		err      error
		want     error // nil: success
		unknown  bool
	}{
		{int64(done), 2, nil, nil, false},
		{int64(done), 3, nil, nil, false},
		{int64(otherState), 2, nil, storage.ErrConflict, false},
		{int64(done), 1, nil, nil, true},
		{int64(otherState), 1, nil, nil, true},
		{int64(notFound), 0, nil, nil, true},
		{int64(done), 2, down, nil, true},
		{nil, 2, nil, nil, true},
	} {
		// Eval serves reads only.
		eval := answering("", nil, new(int))
		s, err := New(eval, "grantwell", with("min-replicas-to-write", "2"), WaitReplicas(2, time.Second, acknowledging(c.answer, c.replicas, c.err)))
		require.NoError(t, err)
		for n, err := range writes(s) {
			if !c.unknown {
				require.ErrorIs(t, err, c.want, "write %d", n)
				continue
			}
			require.ErrorContains(t, err, "redisstore: ", "write %d", n)
			for _, sentinel := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrConflict} {
				require.NotErrorIs(t, err, sentinel)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := New(answering("", nil, new(int)), "grantwell", with("min-replicas-to-write", "2"), WaitReplicas(2, time.Second, acknowledging(int64(done), 2, nil)))
	require.NoError(t, err)
	require.ErrorIs(t, s.Revoke(ctx, "grant"), context.Canceled)
}
