// Package storagetest tests whether a store keeps the promises of package
// storage.
//
// Call [Run] from a test of the store:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storage.Records { return newStore(t) })
//	}
//
// The function returns an empty store for each call. Stores of different calls
// may share a database if neither sees the records of the other. The cases run in
// parallel.
//
// # What is tested
//
// A record is returned as it was stored. A write happens as a whole or not at
// all. Of several attempts exactly one succeeds. A revocation catches an Advance
// that runs at the same moment. No reader sees a write that fails. A store with
// Sweep keeps expired records until they are swept.
//
// With [Options].Second, what was acknowledged is seen through another handle of the
// same store. A connection that does not commit, such as one of MySQL with autocommit
// off, and a cache in front of the database fail there.
//
// The interfaces that a store may have besides (Sweeper, Lister, Registrar,
// Swapper, OriginFinder) are tested if it has them.
//
// The cases, for go test -run 'TestStore/NAME':
//
//	RoundTrip, Times, ClockEdges, EmptyLists, LargeData, OddText, KeysExact,
//	KindsSeparate, NotFound, TakenKey, InsertAllOrNothing, InvalidRefused,
//	NoSharedMemory, Cancelled, AdvanceReplaces, AdvanceInPlace,
//	AdvanceMissing, AdvanceWrongState, AdvanceTakenKey, ConflictBeforeExists,
//	AdvanceMovesGrant, Revoke, RevokeByKind, RevokeNothing, RevokeExact,
//	RevokeLarge, OneWinner, InsertOneWinner, NeverHalf, DirtyRead, Committed,
//	RevokeRacesAdvance, RevokeRacesChain, RevokeKindRacesChain, SingleUse,
//	ExpiredStay, SweepExpired, SweepLimit, ListPages, ListFilters,
//	ListLimits, ListDuringWrites, ListBadCursor, ClientRoundTrip,
//	ClientReplaced, ClientInvalid, ClientDeleted, ClientExact,
//	ClientNoSharedMemory, ClientPages, ClientCancelled, ClientSwap,
//	ClientSwapRace, Origins
//
// # What is not tested
//
// Durability, failover, and answers after a lost connection are not tested. A
// store compares states and does not judge them, so no case requires that a state
// cannot go back.
//
// # How long it takes
//
// By default it takes some seconds in memory. With -short the races are fewer.
// The long run, single use under contention, has two flags:
//
//	go test -run /SingleUse -storagetest.objects=1000000 -storagetest.attempts=4 -v
package storagetest
