//go:build unix

package main_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// attempts is how often one object is sent to each of the two servers at the same
// moment.
const attempts = 2

// A code, a refresh token and a signed assertion that two processes get at the same
// moment are accepted once. A code, or a refresh token of a strict server, that
// comes more than once was stolen, so the tokens that it has bought end as well.
// The flag -rounds says how often this is tried.
//
// Holds: house: any instance; house: reuse is remembered; house: used once.
func TestSingleUse_TwoServersOneWinner(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, store, "--", "-strict-refresh")
			tried := 0
			for round := range *rounds {
				ctx, _ := s.alternating(round)
				won := s.offer(s.authorize(ctx).redemption()...)
				for i := range 2 {
					require.False(t, s.at(i).active(won.text("access_token")))
				}
				first := s.at(round%2).
					token("grant_type", "password", "username", "johndoe", "password", s.file.Passwords["johndoe"])
				require.Equal(t, 200, first.status, first.body)
				won = s.offer(
					"grant_type", "refresh_token", "refresh_token", first.text("refresh_token"),
				)
				for i := range 2 {
					require.False(t, s.at(i).active(won.text("access_token")))
				}
				signed, err := s.file.SignJWT("JWT", demo.Confidential, "")
				require.NoError(t, err)
				won = s.offer(
					"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer",
					"assertion", signed,
				)
				require.True(t, s.at(round%2).active(won.text("access_token")))
				tried += 3
			}
			t.Logf(
				"%s: %d objects, %d attempts each: 0 accepted twice, 0 without a winner", store,
				tried, 2*attempts,
			)
		})
	}
}

// offer sends one token request to both servers at the same moment, several times,
// and returns the one answer that succeeded.
func (s *servers) offer(pairs ...string) reply {
	s.t.Helper()
	replies, errs := make([]reply, 2*attempts), make([]error, 2*attempts)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			<-start
			replies[i], errs[i] = s.at(i%2).ask(s.file.Token, demo.Confidential, pairs...)
		})
	}
	close(start)
	wg.Wait()
	won := -1
	for i, r := range replies {
		require.NoError(s.t, errs[i])
		if r.status == 200 {
			require.Equal(s.t, -1, won, "accepted twice: %s", pairs[1])
			won = i
			continue
		}
		r.refused(s.t, "invalid_grant")
	}
	require.NotEqual(s.t, -1, won, "none succeeded: %s %v", pairs[1], replies)
	return replies[won]
}

// When one process has answered a revocation, the other refuses the token in every
// request that begins afterwards, while further callers use it all the time. The
// flag -revocations says how often this is tried.
//
// Holds: RFC 7009 section 2.1; house: any instance; house: revocation has no gap.
func TestRevocation_OtherServerRefusesAtOnce(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, store)
			took, stale := make([]time.Duration, 0, *revocations), int64(0)
			for round := range *revocations {
				here, there := s.at(round%2), s.at(1-round%2)
				got := here.token("grant_type", "client_credentials")
				require.Equal(t, 200, got.status, got.body)
				u := s.use(there, got.text("access_token"))
				<-u.accepted // it is in use
				revoked := here.post(
					s.file.Revoke, demo.Confidential, "token", got.text("access_token"),
				)
				require.Equal(t, 200, revoked.status, revoked.body)
				require.Empty(t, revoked.body)
				answered := time.Now()
				u.revoked.Store(true)
				require.False(t, there.active(got.text("access_token")), "the next request")
				took = append(took, time.Since(answered))
				u.wait.Wait()
				for _, err := range u.errs {
					require.NoError(t, err)
				}
				stale += u.stale.Load()
			}
			require.Zero(t, stale)
			slices.Sort(took)
			at := func(part int) time.Duration { return took[(len(took)-1)*part/100].Round(time.Microsecond) }
			t.Logf(
				"%s: %d revocations, 0 stale accepts; the other server refused %v (median), %v (p99) "+
					"after the 200, the request's own time included",
				store, len(took), at(50), at(99),
			)
		})
	}
}

// usage counts the uses of a token until it is refused.
type usage struct {
	revoked  atomic.Bool
	stale    atomic.Int64 // accepted though the request began after the revocation was answered
	accepted chan struct{}
	wait     sync.WaitGroup
	errs     [2]error
}

// use asks about a token again and again in two goroutines.
func (s *servers) use(a at, token string) *usage {
	u := &usage{accepted: make(chan struct{})}
	var once sync.Once
	for i := range u.errs {
		u.wait.Go(func() {
			for {
				late := u.revoked.Load()
				r, err := a.ask(s.file.Introspect, demo.Resource, "token", token)
				if active, ok := r.json["active"].(bool); err != nil || !ok || !active {
					u.errs[i] = err
					once.Do(func() { close(u.accepted) })
					return
				}
				if late {
					u.stale.Add(1)
					return
				}
				once.Do(func() { close(u.accepted) })
			}
		})
	}
	return u
}
