package storagetest

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

var (
	objectsFlag  = flag.Int("storagetest.objects", 0, "records that the single-use case redeems; 0: the default")
	attemptsFlag = flag.Int("storagetest.attempts", 0, "parallel attempts at each of them; 0: the default")
)

// Options sizes the races, and says what kind of store it is. The zero value is the default.
type Options struct {
	Rounds   int // of each race; 0: 100, with -short 20
	Objects  int // records of the single-use case; 0: the flag -storagetest.objects, else 1000, with -short 100
	Attempts int // parallel attempts at each; 0: the flag -storagetest.attempts, else 4

	// Spread is for a store that divides what one write carries over several databases, as [storage.Route] does when codes,
	// access and refresh tokens are not together. It has no common transaction, and is held to what it can keep: a write
	// that fails leaves nothing of use, but may leave records revoked; and no token is seen before its code is spent.
	Spread bool
}

// Run tests the stores that newStore returns, each empty, with the default [Options].
func Run(t *testing.T, newStore func(t *testing.T) storage.Records) {
	RunWith(t, Options{}, newStore)
}

// RunWith is [Run] with races of another size: fewer for a store that is slow to reach, more for a long run.
func RunWith(t *testing.T, o Options, newStore func(t *testing.T) storage.Records) {
	o = o.withDefaults(testing.Short())
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			if c.needs != nil && !c.needs(store) {
				t.Skip("the store has no such power")
			}
			c.run(newProbe(t, t.Context(), store, o))
		})
	}
}

func (o Options) withDefaults(short bool) Options {
	pick := func(values ...int) int {
		for _, v := range values {
			if v > 0 {
				return v
			}
		}
		return 1
	}
	rounds, objects := 100, 1000
	if short {
		rounds, objects = 20, 100
	}
	return Options{
		Rounds:   pick(o.Rounds, rounds),
		Objects:  pick(o.Objects, *objectsFlag, objects),
		Attempts: pick(o.Attempts, *attemptsFlag, 4),
		Spread:   o.Spread,
	}
}

// testCase is one promise of package storage. needs, if set, tells whether the store has made it.
type testCase struct {
	name  string
	needs func(storage.Records) bool
	run   func(*probe)
}

func has[T any](s storage.Records) bool { _, ok := s.(T); return ok }

func cases() []testCase {
	return []testCase{
		{"RoundTrip", nil, roundTrip},
		{"Times", nil, times},
		{"ClockEdges", nil, clockEdges},
		{"EmptyLists", nil, emptyLists},
		{"LargeData", nil, largeData},
		{"OddText", nil, oddText},
		{"KeysExact", nil, keysExact},
		{"KindsSeparate", nil, kindsSeparate},
		{"NotFound", nil, notFound},
		{"TakenKey", nil, takenKey},
		{"InsertAllOrNothing", nil, insertAllOrNothing},
		{"InvalidRefused", nil, invalidRefused},
		{"NoSharedMemory", nil, noSharedMemory},
		{"Cancelled", nil, cancelled},
		{"AdvanceReplaces", nil, advanceReplaces},
		{"AdvanceInPlace", nil, advanceInPlace},
		{"AdvanceMissing", nil, advanceMissing},
		{"AdvanceWrongState", nil, advanceWrongState},
		{"AdvanceTakenKey", nil, advanceTakenKey},
		{"ConflictBeforeExists", nil, conflictBeforeExists},
		{"AdvanceMovesGrant", nil, advanceMovesGrant},
		{"Revoke", nil, revoke},
		{"RevokeByKind", nil, revokeByKind},
		{"RevokeNothing", nil, revokeNothing},
		{"RevokeExact", nil, revokeExact},
		{"RevokeLarge", nil, revokeLarge},
		{"OneWinner", nil, oneWinner},
		{"InsertOneWinner", nil, insertOneWinner},
		{"NeverHalf", nil, neverHalf},
		{"RevokeRacesAdvance", nil, revokeRacesAdvance},
		{"RevokeRacesChain", nil, revokeRacesChain},
		{"RevokeKindRacesChain", nil, revokeKindRacesChain},
		{"SingleUse", nil, singleUse},
		{"ExpiredStay", has[storage.Sweeper], expiredStay},
		{"SweepExpired", has[storage.Sweeper], sweepExpired},
		{"SweepLimit", has[storage.Sweeper], sweepLimit},
		{"ListPages", has[storage.Lister], listPages},
		{"ListFilters", has[storage.Lister], listFilters},
		{"ListLimits", has[storage.Lister], listLimits},
		{"ListDuringWrites", has[storage.Lister], listDuringWrites},
		{"ListBadCursor", has[storage.Lister], listBadCursor},
		{"ClientRoundTrip", has[storage.Registrar], clientRoundTrip},
		{"ClientReplaced", has[storage.Registrar], clientReplaced},
		{"ClientInvalid", has[storage.Registrar], clientInvalid},
		{"ClientDeleted", has[storage.Registrar], clientDeleted},
		{"ClientExact", has[storage.Registrar], clientExact},
		{"ClientNoSharedMemory", has[storage.Registrar], clientNoSharedMemory},
		{"ClientPages", has[storage.Registrar], clientPages},
		{"ClientCancelled", has[storage.Registrar], clientCancelled},
		{"ClientSwap", has[storage.Swapper], clientSwapped},
		{"ClientSwapRace", has[storage.Swapper], clientSwapRace},
		{"Origins", findsOrigins, origins},
	}
}

// tester is what a case needs of *testing.T. The kit's own tests put another one in its place,
// to see that a wrong store fails.
type tester interface {
	require.TestingT
	Helper()
	Logf(format string, args ...any)
}

// newProbe returns what a case works with.
func newProbe(t tester, ctx context.Context, store storage.Records, o Options) *probe {
	return &probe{tester: t, ctx: ctx, store: store, opts: o, salt: newSalt(),
		now: time.Now().UTC().Truncate(time.Millisecond)}
}
