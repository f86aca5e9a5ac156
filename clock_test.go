package grantwell_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// skewed is the store of an instance whose clock is ahead of the others: the
// times that it writes are moved ahead, and those that it reads are moved
// back.
type skewed struct {
	storage.Records
	ahead atomic.Int64
}

func (s *skewed) moved(r storage.Record, by time.Duration) storage.Record {
	r.IssuedAt = r.IssuedAt.Add(by)
	if !r.ExpiresAt.IsZero() {
		r.ExpiresAt = r.ExpiresAt.Add(by)
	}
	return r
}

func (s *skewed) written(recs []storage.Record) []storage.Record {
	out := make([]storage.Record, len(recs))
	for i, r := range recs {
		out[i] = s.moved(r, time.Duration(s.ahead.Load()))
	}
	return out
}

func (s *skewed) Insert(ctx context.Context, recs ...storage.Record) error {
	return s.Records.Insert(ctx, s.written(recs)...)
}

func (s *skewed) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	r, err := s.Records.Get(ctx, kind, key)
	return s.moved(r, -time.Duration(s.ahead.Load())), err
}

func (s *skewed) Advance(
	ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record,
) error {
	return s.Records.Advance(ctx, from, s.written([]storage.Record{next})[0], s.written(inserts)...)
}

// twoClocks returns an instance whose clock is right, and one over the same
// store whose clock is ahead.
func twoClocks(t *testing.T, ahead time.Duration) (right, wrong *servertest.Server, clock *skewed) {
	long := func(c *grantwell.Config) {
		c.CodeLifetime = 10 * time.Minute
	} // longer than clocks differ
	right = servertest.New(t, long)
	clock = &skewed{Records: right.Store}
	clock.ahead.Store(int64(ahead))
	wrong = servertest.On(t, right.Store, func(c *grantwell.Config) {
		long(c)
		c.Records = clock
	})
	return right, wrong, clock
}

// Two instances whose clocks differ redeem a code once between them. Neither
// accepts a token after its expiry by its own clock, so a token lives longer
// by the difference of the clocks at most.
//
// Holds: house: expiry at use; house: fault of clocks; house: used once.
func TestClock_DifferenceAddsNoUse(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-5 * time.Minute, -30 * time.Second, 30 * time.Second,
		5 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				right, wrong, _ := twoClocks(t, ahead)
				for _, two := range [][2]*servertest.Server{{right, wrong}, {wrong, right}} {
					code := two[0].Code("conf")
					res := two[1].Redeem("conf", code)
					require.Equal(t, 200, res.Status, res.Body)
					require.True(t, two[0].Live(res.String("access_token")))
					next := two[0].Refresh("conf", res.String("refresh_token"))
					require.Equal(t, 200, next.Status, next.Body)
					two[0].Redeem("conf", code).Fails(t, 400, "invalid_grant")
					require.False(t, two[1].Live(next.String("access_token")),
						"the reuse ended the family")
					two[1].Refresh("conf", next.String("refresh_token")).Fails(t, 400,
						"invalid_grant")
				}
				access, _ := right.Family("conf")
				time.Sleep(time.Hour - ahead - time.Nanosecond)
				require.True(t, wrong.Live(access), "by its clock it has not expired")
				require.Equal(t, ahead > 0, right.Live(access))
				time.Sleep(time.Nanosecond)
				require.False(t, wrong.Live(access), "by its clock it has")
				access, _ = wrong.Family("conf")
				time.Sleep(time.Hour + ahead - time.Nanosecond)
				require.True(t, right.Live(access))
				time.Sleep(time.Nanosecond)
				require.False(t, right.Live(access))
			})
		})
	}
}

// A clock that steps back makes no spent or revoked token valid again.
//
// Holds: house: durable before the answer; house: fault of clocks;
// house: revocation has no gap; house: used once.
func TestClock_StepBackRevivesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, d, clock := twoClocks(t, 0)
		code := d.Code("conf")
		first := d.Redeem("conf", code)
		require.Equal(t, 200, first.Status, first.Body)
		other, _ := d.Family("conf")
		require.Equal(t, 200, d.Revoke("conf", other).Status)
		time.Sleep(time.Minute)
		clock.ahead.Store(int64(-time.Hour))
		require.True(t, d.Live(first.String("access_token")), "issued in its future, and good")
		require.False(t, d.Live(other))
		next := d.Refresh("conf", first.String("refresh_token"))
		require.Equal(t, 200, next.Status, next.Body)
		d.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
		require.False(t, d.Live(next.String("access_token")))
		d.Redeem("conf", code).Fails(t, 400, "invalid_grant")
		fresh, _ := d.Family("conf")
		require.True(t, d.Live(fresh))
	})
}

// Times beyond the range of 32 bits, signed or unsigned, work as any others.
//
// Holds: house: fault of clocks.
func TestClock_WorksBeyond32Bits(t *testing.T) {
	t.Parallel()
	for _, year := range []int{2038, 2106} {
		synctest.Test(t, func(t *testing.T) {
			d := servertest.New(t, nil)
			old, refresh := d.Family("conf")
			leap := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)
			time.Sleep(time.Until(leap))
			require.False(t, d.Live(old))
			d.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
			access, refresh := d.Family("conf")
			require.EqualValues(t, leap.Add(time.Hour).Unix(),
				d.Introspect("conf", access).JSON["exp"])
			require.Equal(t, 200, d.Refresh("conf", refresh).Status)
			time.Sleep(time.Hour)
			require.False(t, d.Live(access))
		})
	}
}
