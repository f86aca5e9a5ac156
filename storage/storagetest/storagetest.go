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

// Options are the sizes of the races, and what the kit has to know of the store. The zero value is
// the default.
type Options struct {
	// Rounds is the number of rounds of each race. Zero is 100, or 20 with
	// -short.
	Rounds int

	// Objects is the number of records of the single-use case. Zero is the flag
	// -storagetest.objects or, without it, 1000, and 100 with -short.
	Objects int

	// Attempts is the number of parallel attempts at each of these records.
	// Zero is the flag -storagetest.attempts or, without it, 4.
	Attempts int

	// Spread is for a store that spreads one write over several databases, as
	// [storage.Route] does if codes, access tokens and refresh tokens are not
	// together. Such a store has no transaction across them, and less is
	// required of it: a write that fails leaves no usable record but may leave
	// revoked ones, and no token is seen before its code is spent.
	Spread bool

	// Second opens another handle of the records of first, as another instance of
	// the server does: with connections, and caches, of its own. t is the test
	// that first was made for. Without Second, the cases that need it are skipped:
	// a write that is acknowledged before it is committed is then not found.
	Second func(t *testing.T, first storage.Records) storage.Records
}

// Run tests the stores that newStore returns, with the default [Options]. Each
// store is empty.
func Run(t *testing.T, newStore func(t *testing.T) storage.Records) {
	RunWith(t, Options{}, newStore)
}

// RunWith tests the stores that newStore returns. A store that is slow to reach
// needs smaller races, and a long run needs larger ones.
func RunWith(t *testing.T, o Options, newStore func(t *testing.T) storage.Records) {
	o = o.withDefaults(testing.Short())
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			if c.needs != nil && !c.needs(store, o) {
				t.Skip("the store does not implement the interface, or the options do not have what the case needs")
			}
			p := newProbe(t, t.Context(), store, o)
			if o.Second != nil {
				p.second = func() storage.Records { return o.Second(t, store) }
			}
			c.run(p)
		})
	}
}

// withDefaults returns the options with the zero fields set.
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
		Second:   o.Second,
	}
}

// testCase is one promise of package storage.
type testCase struct {
	name string

	// needs reports whether the store makes the promise, and the options have what
	// the case needs. Nil means that it runs for every store.
	needs func(storage.Records, Options) bool

	run func(*probe)
}

// has reports whether a store implements an interface.
func has[T any](s storage.Records, _ Options) bool { _, ok := s.(T); return ok }

// cases returns all cases, each named after its promise.
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
		{"DirtyRead", atOnce, dirtyRead},
		{"Committed", opensSecond, committed},
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

// tester is the part of *testing.T that a case needs. The tests of this package
// replace it, to check that a wrong store fails.
type tester interface {
	require.TestingT
	Helper()
	Logf(format string, args ...any)
}

// newProbe returns a probe for one case.
func newProbe(t tester, ctx context.Context, store storage.Records, o Options) *probe {
	return &probe{
		tester: t,
		ctx:    ctx,
		store:  store,
		opts:   o,
		salt:   newSalt(),
		now:    time.Now().UTC().Truncate(time.Millisecond),
	}
}
