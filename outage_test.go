package grantwell_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// At every endpoint, on every page and for every grant, each call of the store, the
// limiter, the keys and the hooks fails in turn, alone or with all that follow. The
// answer is 503, or 5xx for a hook or a key: no success, no refusal that the client
// would take for its own fault, and no token. When the outage is over, the same request
// succeeds or, where the failed call ended what it was about, the client begins anew.
//
// Holds: RFC 6749 section 4.1.2.1; RFC 6749 section 5.2; RFC 7009 section 2.2.1;
// house: errors never grant; house: store fails closed; house: fault of each call.
func TestOutage_OfEachCallIsNoRefusalAndNoSuccess(t *testing.T) {
	t.Parallel()
	parties := servertest.NewParties(t)
	for _, f := range outageFlows(t) {
		for name, cut := range map[string]func(*servertest.Outage, int){
			"once": (*servertest.Outage).Fail,
			"down": (*servertest.Outage).Down,
		} {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				n := 1
				for f.fails(t, newOutageSite(t, parties, f.change), cut, n) {
					n++
				}
				require.Greater(t, n, 1, "nothing was called")
			})
		}
	}
}

// fails lets the n-th call fail, and reports whether there was one.
func (f *outageFlow) fails(t *testing.T, s *outageSite, cut func(*servertest.Outage, int), n int) bool {
	ask := f.begin(t, s)
	before := s.ActiveOf(storage.Access)
	cut(s.cut, n)
	res := ask()
	failed := s.cut.Failed()
	s.cut.Pass()
	if failed == "" {
		require.True(t, f.good(res), "%d %s %s", res.Status, res.Header, res.Body)
		return false
	}

	if slices.Contains(f.free, failed) && f.good(res) {
		return true
	}
	f.isOutage(t, s, res, failed)
	// What the hooks after the write refused is withdrawn, unless the store is down.
	if !strings.HasPrefix(failed, "hook After") || res.Status == 500 {
		require.LessOrEqual(t, s.ActiveOf(storage.Access), before, failed)
	}
	if !slices.Contains(f.ends, failed) {
		again := ask()
		require.True(t, f.good(again), "%s: %d %s %s", failed, again.Status, again.Header, again.Body)
	}
	f.beginsAnew(t, s, failed)
	return true
}

// beginsAnew asserts that the flow works after an outage.
func (f *outageFlow) beginsAnew(t *testing.T, s *outageSite, failed string) {
	t.Helper()
	anew := f.begin(t, s)()
	require.True(t, f.good(anew), "%s: %d %s %s", failed, anew.Status, anew.Header, anew.Body)
}

// Each call waits in turn until its context ends. The deadline of the request ends it,
// and the answer is that of an outage. What withdraws tokens, or works on many records,
// has a time of its own.
//
// Holds: house: bounded work; house: one stuck store; house: store fails closed.
func TestOutage_StalledCallIsCutOff(t *testing.T) {
	t.Parallel()
	parties := servertest.NewParties(t)
	for _, f := range outageFlows(t) {
		if f.quiet {
			continue // the caller's context bounds a method
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			more := true
			for n := 1; more; n++ {
				synctest.Test(t, func(t *testing.T) { more = f.stalls(t, newOutageSite(t, parties, f.change), n) })
			}
		})
	}
}

// stalls lets the n-th call wait, and reports whether there was one.
func (f *outageFlow) stalls(t *testing.T, s *outageSite, n int) bool {
	ask := f.begin(t, s)
	s.cut.Stall(n)
	start := time.Now()
	res := ask()
	took := time.Since(start)
	failed := s.cut.Failed()
	s.cut.Pass()
	if failed == "" {
		return false
	}
	require.Equal(t, 2*time.Second, took, failed)
	if slices.Contains(f.free, failed) && f.good(res) {
		return true
	}
	f.isOutage(t, s, res, failed)
	if !slices.Contains(f.ends, failed) {
		again := ask()
		require.True(t, f.good(again), "%s: %d %s %s", failed, again.Status, again.Header, again.Body)
	}
	return true
}

// Each call panics in turn, at whatever place. The answer is 500, without the text of
// the panic, and the next request works: no lock and no place in a limiter is kept.
//
// Holds: house: hooks refuse; house: fault of each call; house: errors never grant.
func TestOutage_PanicIsAFaultOfOneRequest(t *testing.T) {
	t.Parallel()
	parties := servertest.NewParties(t)
	for _, f := range outageFlows(t) {
		if f.quiet {
			continue // the caller of a method sees the panic
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; f.panics(t, newOutageSite(t, parties, f.change), n); n++ {
			}
		})
	}
}

// panics lets the n-th call panic, and reports whether there was one.
func (f *outageFlow) panics(t *testing.T, s *outageSite, n int) bool {
	ask := f.begin(t, s)
	s.cut.Break(n)
	res := ask()
	failed := s.cut.Failed()
	s.cut.Pass()
	if failed == "" {
		return false
	}
	if res.Header.Get("Location") == "" {
		require.Equal(t, 500, res.Status, "%s: %s", failed, res.Body)
	} else {
		require.Equal(t, "server_error", res.Param("error"), failed)
	}
	for _, name := range []string{"access_token", "refresh_token", "code", "client_secret"} {
		require.Empty(t, res.Param(name)+res.String(name), failed)
	}
	require.NotContains(t, res.Body, servertest.StoreFault)
	require.Equal(t, "failed", s.LastEvent().Outcome)
	require.NotContains(t, s.LastEvent().Cause, servertest.StoreFault)
	if !slices.Contains(f.ends, failed) {
		again := ask()
		require.True(t, f.good(again), "%s: %d %s %s", failed, again.Status, again.Header, again.Body)
	}
	f.beginsAnew(t, s, failed)
	return true
}

// Each write of the store is done in turn, but its answer is an error. The server does
// not say that it succeeded. The same request succeeds after that, unless it was about
// something that may be used once; then the client begins anew.
//
// Holds: house: errors never grant; house: store fails closed.
func TestOutage_LostAnswerOfTheStoreCanBeRepeated(t *testing.T) {
	t.Parallel()
	parties := servertest.NewParties(t)
	for _, f := range outageFlows(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; f.loses(t, newOutageSite(t, parties, f.change), n); n++ {
			}
		})
	}
}

// loses loses the answer of the n-th write, and reports whether there was one.
func (f *outageFlow) loses(t *testing.T, s *outageSite, n int) bool {
	ask := f.begin(t, s)
	s.cut.Lose(n)
	res := ask()
	failed := s.cut.Failed()
	s.cut.Pass()
	if failed == "" {
		require.True(t, f.good(res), "%d %s %s", res.Status, res.Header, res.Body)
		return false
	}

	f.isOutage(t, s, res, failed)
	again := ask()
	if f.oneShot {
		require.Less(t, again.Status, 500, failed)
	} else {
		require.True(t, f.good(again), "%s: %d %s %s", failed, again.Status, again.Header, again.Body)
	}
	f.beginsAnew(t, s, failed)
	return true
}

// isOutage asserts an answer that says that a part of the server failed.
func (f *outageFlow) isOutage(t *testing.T, s *outageSite, res servertest.Reply, failed string) {
	host := strings.HasPrefix(failed, "hook ") || failed == "Signing" || failed == "Published"
	code := res.Param("error")
	if res.Header.Get("Location") == "" {
		require.GreaterOrEqual(t, res.Status, 500, "%s: %s", failed, res.Body)
		if !host {
			require.Equal(t, 503, res.Status, "%s: %s", failed, res.Body)
		}
		if res.Status == 503 && !f.quiet {
			require.NotEmpty(t, res.Header.Get("Retry-After"), failed)
		}
		code = res.String("error")
	}
	if code != "" || res.Header.Get("Location") != "" {
		codes := []string{"temporarily_unavailable"}
		if host {
			codes = append(codes, "server_error")
		}
		require.Contains(t, codes, code, failed)
	}
	for _, name := range []string{"access_token", "refresh_token", "code", "client_secret"} {
		require.Empty(t, res.Param(name), failed)
		require.Empty(t, res.String(name), failed)
	}
	require.NotContains(t, res.Body, servertest.StoreFault)
	if !f.quiet {
		e := s.LastEvent()
		require.Equal(t, []string{"failed", failed}, []string{e.Outcome, failed})
		require.Contains(t, e.Cause, servertest.StoreFault)
	}
}
