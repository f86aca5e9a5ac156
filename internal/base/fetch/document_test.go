package fetch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Holds: RFC 8725 section 3.10.
func TestDocument_WaitingCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c Document[int]
		var calls atomic.Int32
		policy := Policy{MaxAge: time.Hour, Interval: time.Minute, Retry: time.Second, MaxStale: time.Hour}
		slow := func(ctx context.Context) (int, time.Duration, error) {
			calls.Add(1)
			time.Sleep(time.Second)
			return 7, 0, ctx.Err()
		}
		any := func(int) bool { return true }
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := c.Get(impatient, policy, any, slow) // the one that starts the fetch gives up
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() {
				v, err := c.Get(t.Context(), policy, any, slow)
				require.NoError(t, err)
				require.Equal(t, 7, v)
			})
		}
		all.Wait()
		require.EqualValues(t, 1, calls.Load())
	})
}

// A document's own age shortens the policy's MaxAge and never lengthens it, and
// cannot cause a fetch in every call.
func TestDocument_ItsOwnAgeIsBoundedByThePolicy(t *testing.T) {
	t.Parallel()
	policy := Policy{MaxAge: time.Hour, Interval: time.Minute}
	for age, want := range map[time.Duration]time.Duration{0: time.Hour, time.Second: time.Minute, 10 * time.Minute: 10 * time.Minute, 1000 * time.Hour: time.Hour, -time.Hour: time.Hour} {
		require.Equal(t, want, (&Document[int]{ownAge: age}).age(policy), age)
	}
}

// Holds: house: hooks refuse.
func TestDocument_APanicOfAParserIsAnError(t *testing.T) {
	t.Parallel()
	var c Document[int]
	_, err := c.Get(t.Context(), Policy{}, func(int) bool { return true }, func(context.Context) (int, time.Duration, error) { panic("parser") })
	require.ErrorContains(t, err, "panicked")
	_, err = c.Get(t.Context(), Policy{Retry: time.Hour}, func(int) bool { return true }, func(context.Context) (int, time.Duration, error) { return 0, 0, errors.New("never") })
	require.ErrorContains(t, err, "panicked", "and is not tried again at once")
}

// source is a document that changes and fails on demand.
type source struct {
	value int
	err   error
	loads int
}

func (s *source) load(context.Context) (int, time.Duration, error) {
	s.loads++
	return s.value, 0, s.err
}

func atLeast(n int) func(int) bool { return func(v int) bool { return v >= n } }

func TestDocument_AFailedFetchKeepsTheLastGoodDocumentForATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := Policy{MaxAge: time.Hour, Interval: time.Minute, Retry: 10 * time.Second, MaxStale: 2 * time.Hour}
		var d Document[int]
		s := &source{value: 1}
		get := func(n int) (int, error) { return d.Get(t.Context(), p, atLeast(n), s.load) }

		v, err := get(1)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		v, err = get(2)
		require.NoError(t, err, "it was fetched a moment ago, so the caller judges")
		require.Equal(t, 1, v)
		require.Equal(t, 1, s.loads)

		s.err = errors.New("down")
		time.Sleep(time.Minute)
		_, err = get(2)
		require.ErrorIs(t, err, s.err, "a new one might have had it")
		v, err = get(1)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.Equal(t, 2, s.loads)
		_, err = get(2)
		require.ErrorIs(t, err, s.err)
		require.Equal(t, 2, s.loads, "no fetch within Retry")

		time.Sleep(2*time.Hour + 58*time.Minute)
		v, err = get(1)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		time.Sleep(time.Minute)
		_, err = get(1)
		require.ErrorIs(t, err, s.err, "too old")

		s.err, s.value = nil, 2
		time.Sleep(10 * time.Second)
		v, err = get(2)
		require.NoError(t, err)
		require.Equal(t, 2, v)
	})
}

func TestDocument_BackgroundServesWhileItFetches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := Policy{MaxAge: time.Hour, Interval: time.Minute, Retry: time.Minute, MaxStale: time.Hour, Background: true}
		var d Document[int]
		s := &source{value: 1}
		get := func() int {
			v, err := d.Get(t.Context(), p, atLeast(1), s.load)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, 1, get())
		s.value = 2
		time.Sleep(time.Hour)
		require.Equal(t, 1, get())
		synctest.Wait()
		require.Equal(t, 2, get())
		require.Equal(t, 2, s.loads)
	})
}

func TestFlight_JoinsYoungCallsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f Flight[int]
		var calls atomic.Int32
		call := func(context.Context) (int, error) {
			n := calls.Add(1)
			time.Sleep(10 * time.Second)
			return int(n), nil
		}
		var all sync.WaitGroup
		ask := func(key string, want int) {
			all.Go(func() {
				got, err := f.Do(t.Context(), key, 2*time.Second, call)
				require.NoError(t, err)
				require.Equal(t, want, got)
			})
			synctest.Wait()
		}
		ask("a", 1)
		ask("a", 1)
		ask("b", 2)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		ask("a", 3)
		ask("a", 3)
		all.Wait()
		ask("a", 4)
		all.Wait()
	})
}

func TestFlight_APanicIsAnErrorToAllCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f Flight[*int]
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				v, err := f.Do(t.Context(), "", 0, func(context.Context) (*int, error) {
					time.Sleep(time.Second)
					panic("x")
				})
				require.ErrorIs(t, err, errPanic)
				require.Nil(t, v)
			})
		}
		all.Wait()
	})
}
