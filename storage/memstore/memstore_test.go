package memstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// The store in memory keeps the contract.
//
// Holds: house: any instance; house: expiry at use; house: memory by default;
// house: one contract for stores; house: one winner; house: one write;
// house: revocation has no gap; house: sweeping; house: used once.
func TestStore_KeepsContract(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(*testing.T) storage.Records { return New() })
}

// Grants whose IDs have the same hash are different grants.
func TestStore_KeepsContractWhenHashesCollide(t *testing.T) {
	t.Parallel()
	for name, hash := range map[string]func(string) uint64{"all": func(string) uint64 { return 1<<63 | 5 }, "two": func(id string) uint64 { return uint64(len(id) % 2) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(*testing.T) storage.Records {
				s := New()
				s.hash = hash
				return s
			})
		})
	}
}

func token(kind storage.Kind, name, grant string, expires time.Time) storage.Record {
	return storage.Record{
		Kind: kind, Key: storage.Key(name), State: storage.Active, GrantID: grant, ClientID: "client", Subject: "alice",
		Scope: []string{"read"}, IssuedAt: time.Now(), ExpiresAt: expires,
	}
}

// Records of one write share what they have in common. Where they differ, each
// has its own value.
func TestStore_RecordsOfOneWriteStayApart(t *testing.T) {
	t.Parallel()
	ctx, later := t.Context(), time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	for name, change := range map[string]func(*storage.Record){
		"nothing":      func(*storage.Record) {},
		"client":       func(r *storage.Record) { r.ClientID = "other" },
		"subject":      func(r *storage.Record) { r.Subject = "bob" },
		"scope":        func(r *storage.Record) { r.Scope = []string{"write"} },
		"more scope":   func(r *storage.Record) { r.Scope = []string{"read", "write"} },
		"no scope":     func(r *storage.Record) { r.Scope = nil },
		"audience":     func(r *storage.Record) { r.Audience = []string{"urn:other"} },
		"two for one":  func(r *storage.Record) { r.Audience = []string{"urn:", "a"} },
		"no audience":  func(r *storage.Record) { r.Audience = nil },
		"data":         func(r *storage.Record) { r.Data = []byte("y") },
		"no data":      func(r *storage.Record) { r.Data = nil },
		"data instead": func(r *storage.Record) { r.Audience, r.Data = nil, []byte("urn:a") },
	} {
		s := New()
		one := token(storage.Access, "one", "g", later)
		one.Audience, one.Data, one.IssuedAt = []string{"urn:a"}, []byte("x"), later
		two := one
		two.Key = storage.Key("two")
		change(&two)
		three := one
		three.Key = storage.Key("three")
		require.NoError(t, s.Insert(ctx, one, two, three), name)
		four := two
		four.Key = storage.Key("four")
		changed := one
		change(&changed)
		require.NoError(t, s.Advance(ctx, storage.Active, changed, renamed(three, "five"), four), name)
		for _, want := range []storage.Record{changed, two, three, four, renamed(three, "five")} {
			got, err := s.Get(ctx, storage.Access, want.Key)
			require.NoError(t, err, name)
			require.Equal(t, want, got, name)
		}
	}
}

// renamed returns the record under another key.
func renamed(r storage.Record, name string) storage.Record {
	r.Key = storage.Key(name)
	return r
}

// A full store refuses new records, and evicts no live or spent one for them.
//
// Holds: house: memory by default; house: used once.
func TestStore_FullRefusesAndForgetsNothing(t *testing.T) {
	t.Parallel()
	ctx, s, later := t.Context(), NewWith(Options{MaxRecords: 3}), time.Now().Add(time.Hour)
	spent := token(storage.Code, "spent", "g", later)
	spent.State = storage.Spent
	code := token(storage.Code, "code", "g", later)
	require.NoError(t, s.Insert(ctx, spent, code))
	require.ErrorContains(t, s.Insert(ctx, token(storage.Access, "a", "g", later), token(storage.Access, "b", "g", later)), "full")
	require.Equal(t, 2, s.Len())
	require.NoError(t, s.Insert(ctx, token(storage.Access, "a", "g", later)))

	next := code
	next.State = storage.Spent
	require.ErrorContains(t, s.Advance(ctx, storage.Active, next, token(storage.Access, "b", "g", later)), "full")
	got, err := s.Get(ctx, storage.Code, code.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State, "an Advance that does not fit spends nothing")
	require.NoError(t, s.Advance(ctx, storage.Active, next), "a write that adds no record always fits")
	require.ErrorIs(t, s.Advance(ctx, storage.Active, next, token(storage.Access, "b", "g", later)), storage.ErrConflict,
		"a full store still tells a second use")
	require.NoError(t, s.Revoke(ctx, "g"))
	require.Equal(t, 3, s.Len())
	_, err = s.Get(ctx, storage.Code, spent.Key)
	require.NoError(t, err)
}

// The number of clients is bounded: a new one above the bound is refused, and the
// stored ones are kept and can be changed.
//
// Holds: house: memory by default.
func TestStore_ClientsAreBounded(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), NewWith(Options{MaxClients: 2})
	client := func(id string) storage.Client {
		return storage.Client{ID: id, Secrets: []storage.Secret{storage.HashSecret(id)}, GrantTypes: []string{"client_credentials"}}
	}
	one, two, three := client("1"), client("2"), client("3")
	require.NoError(t, s.PutClient(ctx, one))
	require.NoError(t, s.SwapClient(ctx, nil, two))
	require.ErrorContains(t, s.PutClient(ctx, three), "MaxClients")
	require.ErrorContains(t, s.SwapClient(ctx, nil, three), "MaxClients")
	_, err := s.Client(ctx, "3")
	require.ErrorIs(t, err, storage.ErrNotFound)
	changed := two
	changed.Name = "changed"
	require.NoError(t, s.SwapClient(ctx, &two, changed))
	require.NoError(t, s.PutClient(ctx, one))
	require.NoError(t, s.DeleteClient(ctx, "1"))
	require.NoError(t, s.PutClient(ctx, three))
	list, err := s.ListClients(ctx, "", 0)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, DefaultMaxClients, New().registry.max)
	require.EqualValues(t, DefaultMaxRecords, New().max)
}

// Requests that wait cannot take the room of codes and tokens. Their bound makes room
// when they expire, and forgets none before.
//
// Holds: house: memory by default.
func TestStore_WaitingRequestsHaveTheirOwnBound(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Now()
	later := now.Add(time.Hour)
	for _, kind := range []storage.Kind{storage.Interaction, storage.Pushed} {
		s := NewWith(Options{MaxRecords: 100, MaxWaiting: 3})
		for i, expires := range []time.Time{now.Add(-time.Minute), later, later} {
			require.NoError(t, s.Insert(ctx, token(kind, fmt.Sprint(i), "", expires)))
		}
		require.ErrorIs(t, s.Insert(ctx, token(kind, "2", "", later)), storage.ErrExists)
		require.NoError(t, s.Insert(ctx, token(kind, "3", "", later)), "the expired one made room")
		require.ErrorContains(t, s.Insert(ctx, token(kind, "4", "", later)), "MaxWaiting")
		require.ErrorContains(t, s.Insert(ctx, token(storage.Interaction, "5", "", later)), "MaxWaiting", "both kinds together")
		for i := range 97 {
			require.NoError(t, s.Insert(ctx, token(storage.Access, fmt.Sprint(i), "g", later)))
		}
		require.ErrorContains(t, s.Insert(ctx, token(storage.Access, "one more", "g", later)), "MaxRecords")
		require.Equal(t, 100, s.Len())
		_, err := s.Sweep(ctx, later.Add(time.Second), 1000)
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, s.Insert(ctx, token(kind, fmt.Sprint("again", i), "", later)))
		}
	}
	require.EqualValues(t, 50, NewWith(Options{MaxRecords: 100}).maxWaiting)
	require.EqualValues(t, DefaultMaxWaiting, New().maxWaiting)
}

// A full store removes expired records to make room for new ones.
//
// Holds: house: memory by default; house: sweeping.
func TestStore_FullSweepsExpired(t *testing.T) {
	t.Parallel()
	ctx, s, now := t.Context(), NewWith(Options{MaxRecords: 100}), time.Now()
	for i := range 60 {
		require.NoError(t, s.Insert(ctx, token(storage.Access, fmt.Sprint("old", i), fmt.Sprint(i), now.Add(-time.Minute))))
	}
	for i := range 100 {
		require.NoError(t, s.Insert(ctx, token(storage.Access, fmt.Sprint("new", i), fmt.Sprint(i), now.Add(time.Hour))), i)
	}
	require.Error(t, s.Insert(ctx, token(storage.Access, "one more", "", now.Add(time.Hour))))
	require.Equal(t, 100, s.Len())
}

// The place of a record that was swept, or that could not be written, is used
// again.
func TestStore_PlacesAreTakenAgain(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), New()
	taken := token(storage.Access, "taken", "", time.Now().Add(time.Hour))
	require.NoError(t, s.Insert(ctx, taken))
	for round := range 50 {
		for i := range 50 {
			name := fmt.Sprint(round, "-", i)
			require.NoError(t, s.Insert(ctx, token(storage.Access, name, name, time.Now().Add(-time.Second))))
			require.ErrorIs(t, s.Insert(ctx, token(storage.Refresh, name, "r"+name, time.Now()), taken), storage.ErrExists)
		}
		_, err := s.Sweep(ctx, time.Now(), 1000)
		require.NoError(t, err)
		require.Equal(t, 1, s.Len())
	}
	entries, families := 0, 0
	for i := range s.shards {
		entries, families = entries+int(s.shards[i].entries.used), families+int(s.shards[i].families.used)
	}
	require.Less(t, entries, 1000, "places of 5000 failed writes are used again")
	require.Less(t, families, 1000, "places of 2500 ended grants are used again")
}

// Writes sweep expired records, so that the store stays small without calls of
// Sweep.
//
// Holds: house: memory by default; house: sweeping.
func TestStore_WritesSweep(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), New()
	for i := range 10 * sweepFloor {
		require.NoError(t, s.Insert(ctx, token(storage.Access, fmt.Sprint(i), fmt.Sprint("g", i/2), time.Now().Add(-time.Second))))
	}
	require.LessOrEqual(t, s.Len(), sweepFloor+2*shardCount)
	removed := 0
	for {
		n, err := s.Sweep(ctx, time.Now(), 500)
		require.NoError(t, err)
		require.LessOrEqual(t, n, 500)
		if removed += n; n == 0 {
			break
		}
	}
	require.Zero(t, s.Len())
	for i := range s.shards {
		require.Empty(t, s.shards[i].records)
		require.Empty(t, s.shards[i].grants, "a grant's list goes with its last record")
		require.Empty(t, s.shards[i].expiry)
	}
}

// A second spelling of the same 32 bytes is another key.
//
// Holds: RFC 6749 section 10.10.
func TestStore_KeySpellingsDiffer(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), New()
	key := storage.Key("secret")
	last := key[len(key)-1]
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) {
		if alphabet[i] == last {
			continue
		}
		twin := key[:len(key)-1] + string(alphabet[i])
		require.NotEqual(t, newID(0, key), newID(0, twin))
	}
	for _, odd := range []string{key + "\n", key[:42] + "\n", "\r" + key[:42], key + "=", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		require.True(t, newID(0, odd).odd)
	}
	// Nor is a key equal to the decoded form of another.
	hashed := newID(0, "odd")
	require.NoError(t, s.Insert(ctx, storage.Record{Kind: storage.Used, Key: "odd", State: storage.Spent}))
	_, err := s.Get(ctx, storage.Used, strict.EncodeToString(hashed.sum[:]))
	require.ErrorIs(t, err, storage.ErrNotFound)
}

// Concurrent writes that share grants and shards all end, and leave lists, heaps
// and counts consistent.
//
// Holds: house: memory by default; house: one winner.
func TestStore_ConcurrentWritesKeepOrder(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*Store{"hashes": New(), "one hash": New()} {
		if name == "one hash" {
			s.hash = func(string) uint64 { return 7 }
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keepsOrder(t, s)
		})
	}
}

// keepsOrder writes to the store from several goroutines at once, and checks its
// structures after that.
func keepsOrder(t *testing.T, s *Store) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	done := make(chan error, 8)
	for w := range cap(done) {
		go func() { done <- writeAtRandom(t.Context(), s, uint64(w), rounds) }()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}

	records, alone, listed := 0, 0, 0
	for i := range s.shards {
		sh := &s.shards[i]
		checkExpiry(t, s, sh)
		records += len(sh.records)
		for _, r := range sh.records {
			if s.at(r).family == 0 {
				alone++
			}
		}
		listed += checkFamilies(t, s, sh)
	}
	require.Equal(t, s.Len(), records)
	require.Equal(t, records, listed+alone, "every record is in one family or in none")
}

// writeAtRandom makes calls of every method on a few grants and keys.
func writeAtRandom(ctx context.Context, s *Store, seed uint64, rounds int) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range rounds {
		grant := fmt.Sprint("g", rng.IntN(5))
		expires := time.Now().Add(time.Duration(rng.IntN(3)-1) * time.Minute)
		r := token(storage.Refresh, fmt.Sprint(rng.IntN(50)), grant, expires)
		if rng.IntN(5) == 0 {
			r.ExpiresAt, r.GrantID = time.Time{}, ""
		}
		access := token(storage.Access, fmt.Sprint(rng.IntN(1e6)), grant, r.ExpiresAt)

		switch rng.IntN(7) {
		case 0:
			_ = s.Revoke(ctx, grant, storage.Access, storage.Code)
		case 1:
			if _, err := s.Sweep(ctx, time.Now(), 5); err != nil {
				return err
			}
		case 2:
			_, _, _ = s.List(ctx, storage.Query{GrantID: grant, Limit: 3})
		case 3:
			_ = s.Insert(ctx, r, access)
			_ = s.Insert(ctx, r) // the first fails if either key is taken
		case 6:
			_ = s.Advance(ctx, storage.Active, r) // often moves the record to another grant
		default:
			_ = s.Advance(ctx, storage.Active, r, access)
		}
	}
	return nil
}

// checkExpiry checks that the heap of a shard is in order and holds exactly the
// records that expire.
func checkExpiry(t *testing.T, s *Store, sh *shard) {
	queued := map[ref]int64{}
	for i, x := range sh.expiry {
		require.LessOrEqual(t, sh.expiry[max(i-1, 0)/2].expires, x.expires, "the soonest is first")
		queued[x.ref] = x.expires
	}
	require.Len(t, queued, len(sh.expiry), "each entry is in the heap once")

	waiting := 0
	for n, r := range sh.records {
		e := s.at(r)
		require.Equal(t, n, e.id)
		until, inHeap := queued[r]
		require.Equal(t, e.queued, inHeap)
		if inHeap {
			waiting++
		}
		if e.expires != never {
			require.True(t, inHeap)
			require.LessOrEqual(t, until, e.expires, "the heap's time is not later than the record's")
		}
	}
	require.Equal(t, waiting, len(queued))
}

// checkFamilies checks the families of a shard and returns how many records are
// in them.
func checkFamilies(t *testing.T, s *Store, sh *shard) int {
	listed := 0
	for hash, list := range sh.grants {
		for ; list != 0; list = s.family(list).nextSameHash {
			require.Equal(t, hash, s.family(list).hash)
			require.NotZero(t, s.family(list).head)
			for r := s.family(list).head; r != 0; r = s.at(r).next {
				e := s.at(r)
				require.Equal(t, list, e.family)
				require.Equal(t, r, s.shards[e.id.shard()].records[e.id])
				listed++
			}
		}
	}
	return listed
}

// A record with its indexes takes at most 500 bytes, an access and a refresh
// token of one grant together 900.
//
// Holds: house: memory by default.
func TestStore_RecordsAreSmall(t *testing.T) { // not parallel: it measures the heap
	const n = 100_000
	for _, c := range []struct {
		name  string
		kinds []storage.Kind
		most  float64
	}{
		{"access", []storage.Kind{storage.Access}, 500},
		{"access and refresh", []storage.Kind{storage.Access, storage.Refresh}, 900},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := heapPerGrant(t, n, c.kinds)
			t.Logf("%.0f bytes", size)
			require.LessOrEqual(t, size, c.most)
		})
	}
}

func heapPerGrant(t testing.TB, n int, kinds []storage.Kind) float64 {
	ctx, s := context.Background(), New()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range n {
		var recs []storage.Record
		for _, kind := range kinds {
			recs = append(recs, live(kind, i))
		}
		require.NoError(t, s.Insert(ctx, recs...))
	}
	size := float64(heap()-before) / float64(n)
	runtime.KeepAlive(s)
	return size
}

// live returns a token record of the size that a server stores: a grant ID of 22
// characters, one of many users, some data.
func live(kind storage.Kind, i int) storage.Record {
	now := time.Now()
	return storage.Record{
		Kind: kind, Key: storage.JoinKey(string(kind), fmt.Sprint(i)), State: storage.Active,
		GrantID: storage.Key(fmt.Sprint("grant", i))[:22], ClientID: "web-application", Subject: fmt.Sprintf("user-%08d", i),
		Scope: []string{"openid", "profile", "orders:read"}, Audience: []string{"https://api.example.com"},
		IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		Data: []byte(`{"auth_time":1767225600,"amr":["pwd"]}`),
	}
}
