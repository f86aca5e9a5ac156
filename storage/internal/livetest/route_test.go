//go:build linux

package livetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// mix is what stores are made in: one Redis, one PostgreSQL, and a SQLite file
// for each store.
type mix struct {
	redis  func(t *testing.T) storage.Records
	sql    func(t *testing.T) storage.Records
	sqlite func(t *testing.T) storage.Records
}

func newMix(t *testing.T) mix {
	client := startRedis(t, durable...).client(t)
	driver, dsn := postgresql.open(t)
	pool := open(t, driver, dsn, 16)
	return mix{
		redis: func(t *testing.T) storage.Records { return redisStore(t, client, prefix()) },
		sql:   func(t *testing.T) storage.Records { return newStore(t, postgresql.dialect, pool) },
		sqlite: func(t *testing.T) storage.Records {
			driver, dsn := sqlite.open(t)
			return newStore(t, sqlite.dialect, open(t, driver, dsn, 8))
		},
	}
}

// together keeps what one write carries, the codes and tokens, in SQLite and
// spreads all else.
func (m mix) together(t *testing.T) storage.Records {
	cache, shared := m.redis(t), m.sql(t)
	return storage.Route(m.sqlite(t), map[storage.Kind]storage.Records{
		storage.Used: cache, storage.Pushed: cache, storage.UserCode: cache,
		storage.Consent: shared, storage.DeviceCode: shared, storage.Interaction: memstore.New(),
	})
}

// apart keeps codes in memory, access tokens in Redis and refresh tokens in SQLite.
func (m mix) apart(t *testing.T) storage.Records {
	return storage.Route(m.sqlite(t), map[storage.Kind]storage.Records{
		storage.Code:   memstore.New(),
		storage.Access: m.redis(t),
	})
}

// Four stores of four makes keep the whole contract for as long as codes,
// access and refresh tokens are in one of them.
//
// Holds: house: expiry at use; house: one contract for stores; house: one winner;
// house: one write; house: revocation has no gap; house: stores by kind;
// house: sweeping; house: used once.
func TestRoute_TokensTogetherKeepContract(t *testing.T) {
	m := newMix(t)
	storagetest.RunWith(t, storagetest.Options{Rounds: 10, Objects: objects()}, m.together)
}

// With codes, access and refresh tokens in three stores there is no common
// transaction. One winner, no gap in a
// revocation and nothing of use after a failure are kept all the same.
//
// Holds: house: one winner; house: one write; house: revocation has no gap;
// house: stores by kind; house: used once.
func TestRoute_TokensApartKeepWhatTheyCan(t *testing.T) {
	m := newMix(t)
	storagetest.RunWith(t, storagetest.Options{
		Rounds:  10,
		Objects: objects(),
		Spread:  true,
	}, m.apart)
}

// A write that spans the stores, with a record that only a revocation could
// take back and none can, is refused
// before any of them has seen it.
//
// Holds: house: one write; house: stores by kind.
func TestRoute_RefusesWhatNothingTakesBack(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newMix(t).apart(t)
	code := record(storage.Code, "c", "g")
	access := record(storage.Access, "a", "g")
	loner := record(storage.Refresh, "r", "")
	loner.GrantID = ""
	require.NoError(t, s.Insert(ctx, code))
	require.ErrorContains(t, s.Insert(ctx, access, loner), "storage: Route:")
	require.ErrorContains(t, s.Advance(ctx, storage.Active, spent(code), access, loner),
		"storage: Route:")
	for _, r := range []storage.Record{access, loner} {
		_, err := s.Get(ctx, r.Kind, r.Key)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	got, err := s.Get(ctx, storage.Code, code.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State)
}

// Every flow works with its records in different stores and its clients in yet
// another one.
//
// Holds: RFC 6749 section 6; RFC 7009 section 2.1; house: reuse is remembered;
// house: revocation has no gap; house: stores by kind; house: used once.
func TestRoute_FlowsOverDifferentStores(t *testing.T) {
	t.Parallel()
	m := newMix(t)
	for name, records := range map[string]storage.Records{
		"tokens together": m.together(t),
		"tokens apart":    m.apart(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := memstore.New()
			servertest.Register(t, clients, servertest.Clients()...)
			s := newSite(t, struct {
				storage.Records
				storage.Registrar
			}{records, clients})

			code := s.Code("conf")
			first := s.Redeem("conf", code)
			require.Equal(t, 200, first.Status, first.Body)
			second := s.Refresh("conf", first.String("refresh_token"))
			require.Equal(t, 200, second.Status, second.Body)
			require.True(t, s.Live(second.String("access_token")))
			s.Redeem("conf", code).Fails(t, 400, "invalid_grant")
			require.False(t, s.Live(second.String("access_token")),
				"a code used twice ends its family in every store")

			first = s.Redeem("conf", s.Code("conf"))
			second = s.Refresh("conf", first.String("refresh_token"))
			require.Equal(t, 200, second.Status, second.Body)
			s.Refresh("conf", first.String("refresh_token")).Fails(t, 400, "invalid_grant")
			require.False(t, s.Live(second.String("access_token")), "so does a refresh token")
			s.Refresh("conf", second.String("refresh_token")).Fails(t, 400, "invalid_grant")

			machine := s.ClientCredentials(servertest.Conf)
			require.True(t, s.Live(machine.String("access_token")))
			require.Equal(t, 200, s.Revoke("conf", machine.String("access_token")).Status)
			require.False(t, s.Live(machine.String("access_token")))

			atMostOneRedemption(t, s)
		})
	}
}

// atMostOneRedemption offers a code 32 times at once. Where stores differ, a
// loser, which is a reuse, may end the family before the winner has its
// answer. The tokens of a winner are revoked in the end in any case.
func atMostOneRedemption(t *testing.T, s *servertest.Server) {
	code := s.Code("conf")
	replies := make([]servertest.Reply, 32)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = s.Redeem("conf", code) })
	}
	wg.Wait()
	won := 0
	for _, r := range replies {
		require.NoError(t, r.Err)
		if r.Status != 200 {
			r.Fails(t, 400, "invalid_grant")
			continue
		}
		won++
		require.False(t, s.Live(r.String("access_token")))
	}
	require.LessOrEqual(t, won, 1)
}
