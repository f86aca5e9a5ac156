// Package storagetest tells whether a store is right.
//
// Call [Run] from a test of the store:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storage.Records { return newStore(t) })
//	}
//
// The function returns an empty store for each call; stores of different calls may share a database as long as
// neither sees the other's records. The cases run in parallel.
//
// # What is tested
//
// Everything that package storage promises its readers: that a record comes back as it went in, that a write happens
// wholly or not at all, that of several attempts exactly one wins and one does win, and that a revocation
// catches the Advance that runs at the same moment. The powers that a store may have (Sweeper, Lister,
// Registrar, OriginFinder) are tested when it has them. A store with Sweep keeps expired records until they are swept.
//
// What is not tested: durability, failover and answers after a lost connection. A store compares states
// and does not judge them, so no case asks that a state cannot go back.
//
// # How long
//
// By default some seconds in memory. With -short the races are fewer.
// The long run, single use under contention, has two flags:
//
//	go test -run /SingleUse -storagetest.objects=1000000 -storagetest.attempts=4 -v
package storagetest
