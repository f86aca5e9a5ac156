//go:build linux

package livetest

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// mix makes stores of several kinds: one Redis, one PostgreSQL, and a SQLite
// file for each store.
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

// together keeps codes and tokens in SQLite, and spreads the other kinds.
func (m mix) together(t *testing.T) storage.Records {
	cache, shared := m.redis(t), m.sql(t)
	return storage.Route(m.sqlite(t), map[storage.Kind]storage.Records{
		storage.Used: cache, storage.Pushed: cache, storage.UserCode: cache,
		storage.Consent: shared, storage.DeviceCode: shared, storage.Interaction: memstore.New(),
	})
}

// apart keeps codes in memory, access tokens in Redis and refresh tokens in SQLite.
func (m mix) apart(t *testing.T) storage.Records {
	return storage.Route(m.sqlite(t), map[storage.Kind]storage.Records{storage.Code: memstore.New(), storage.Access: m.redis(t)})
}

// Four stores of four kinds keep every promise as long as codes, access tokens
// and refresh tokens are in one of them.
//
// Holds S159, S160, S161, S164, I1, I3, I5, I9, I11.
func TestRoute_TokensTogetherKeepContract(t *testing.T) {
	m := newMix(t)
	storagetest.RunWith(t, storagetest.Options{Rounds: 10, Objects: objects()}, m.together)
}

// With codes, access tokens and refresh tokens in three stores there is no
// transaction across them. Still, one attempt succeeds, a revocation has no
// gap, and a failed write leaves no usable record.
//
// Holds S161, I1, I3, I5, I11.
func TestRoute_TokensApartKeepWhatTheyCan(t *testing.T) {
	m := newMix(t)
	storagetest.RunWith(t, storagetest.Options{Rounds: 10, Objects: objects(), Spread: true}, m.apart)
}

// A write across stores that could not be taken back, because a record has no
// grant, is refused before it reaches any of them.
//
// Holds S161, I3.
func TestRoute_RefusesWhatNothingTakesBack(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newMix(t).apart(t)
	code, access, loner := record(storage.Code, "c", "g"), record(storage.Access, "a", "g"), record(storage.Refresh, "r", "")
	loner.GrantID = ""
	require.NoError(t, s.Insert(ctx, code))
	require.ErrorContains(t, s.Insert(ctx, access, loner), "storage: Route:")
	require.ErrorContains(t, s.Advance(ctx, storage.Active, spent(code), access, loner), "storage: Route:")
	for _, r := range []storage.Record{access, loner} {
		_, err := s.Get(ctx, r.Kind, r.Key)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	got, err := s.Get(ctx, storage.Code, code.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State)
}

// Every flow works with its records in several stores, and its clients in
// another one.
//
// Holds S161, S85, S97, I1, I4, I5.
func TestRoute_FlowsOverDifferentStores(t *testing.T) {
	t.Parallel()
	m := newMix(t)
	for name, records := range map[string]storage.Records{"tokens together": m.together(t), "tokens apart": m.apart(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := memstore.New()
			require.NoError(t, clients.PutClient(t.Context(), conf()))
			s := newSite(t, struct {
				storage.Records
				storage.Registrar
			}{records, clients})

			code := s.code()
			first := s.post("/token", redemption(code)...)
			require.Equal(t, 200, first.status, first.body)
			second := s.post("/token", refreshing(first.str("refresh_token"))...)
			require.Equal(t, 200, second.status, second.body)
			require.True(t, s.active(second.str("access_token")))
			s.post("/token", redemption(code)...).invalid(t)
			require.False(t, s.active(second.str("access_token")), "a code used twice ends its family in every store")

			first = s.post("/token", redemption(s.code())...)
			second = s.post("/token", refreshing(first.str("refresh_token"))...)
			require.Equal(t, 200, second.status, second.body)
			s.post("/token", refreshing(first.str("refresh_token"))...).invalid(t)
			require.False(t, s.active(second.str("access_token")), "so does a refresh token")
			s.post("/token", refreshing(second.str("refresh_token"))...).invalid(t)

			machine := s.post("/token", "grant_type", "client_credentials")
			require.True(t, s.active(machine.str("access_token")))
			require.Equal(t, 200, s.post("/revoke", "token", machine.str("access_token")).status)
			require.False(t, s.active(machine.str("access_token")))

			atMostOneRedemption(t, s)
		})
	}
}

// atMostOneRedemption redeems a code 32 times at once. Across stores, a loser
// is a reuse of the code and may end the family before the winner has its
// answer. The tokens of a winner are revoked in the end in any case.
func atMostOneRedemption(t *testing.T, s *site) {
	code := s.code()
	replies := make([]answered, 32)
	errs := make([]error, len(replies))
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i], errs[i] = s.ask(http.MethodPost, "/token", form(redemption(code)...)) })
	}
	wg.Wait()
	won := 0
	for i, r := range replies {
		require.NoError(t, errs[i])
		if r.status != 200 {
			r.invalid(t)
			continue
		}
		won++
		require.False(t, s.active(r.str("access_token")))
	}
	require.LessOrEqual(t, won, 1)
}
