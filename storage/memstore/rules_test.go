package memstore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// What the user denied stays denied when its grant is revoked.
//
// Holds: house: ended for good.
func TestRevoke_LeavesWhatWasDenied(t *testing.T) {
	t.Parallel()
	s := New()
	later := time.Now().Add(time.Hour)
	for _, state := range []storage.State{storage.Pending, storage.Active, storage.Spent, storage.Denied, storage.Revoked} {
		rec := token(storage.Code, string(rune('a'+int(state))), "grant", later)
		rec.State = state
		require.NoError(t, s.Insert(t.Context(), rec))
	}
	require.NoError(t, s.Revoke(t.Context(), "grant"))
	states := map[storage.State]int{}
	recs, _, err := s.List(t.Context(), storage.Query{GrantID: "grant"})
	require.NoError(t, err)
	for _, rec := range recs {
		states[rec.State]++
	}
	require.Equal(t, map[storage.State]int{storage.Denied: 1, storage.Revoked: 4}, states)
}

// A record without a grant belongs to no family: it is in no list of another record, and
// revoking no grant ends nothing.
//
// Holds: house: one contract for stores.
func TestStore_RecordWithoutAGrantHasNoFamily(t *testing.T) {
	t.Parallel()
	s := New()
	for _, name := range []string{"a", "b"} {
		require.NoError(t, s.Insert(t.Context(), token(storage.Used, name, "", time.Now().Add(time.Hour))))
	}
	require.NoError(t, s.Revoke(t.Context(), ""))
	for i := range s.shards {
		require.Empty(t, s.shards[i].grants, "no family was made")
		for _, r := range s.shards[i].records {
			e := s.at(r)
			require.Equal(t, []ref{0, 0, 0}, []ref{e.family, e.next, e.prev})
			require.Equal(t, storage.Active, e.state)
			require.Equal(t, "alice", s.subjectOf(&e.value))
		}
	}
}

// cutOff is a context that ends after it was asked a number of times.
type cutOff struct {
	context.Context
	left int
}

// Err implements context.Context.
func (c *cutOff) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// List ends with its context, before it begins and between two shards.
//
// Holds: house: bounded work.
func TestList_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Insert(t.Context(), token(storage.Code, "a", "grant", time.Now().Add(time.Hour))))
	for left := range 3 {
		for _, q := range []storage.Query{{}, {GrantID: "grant"}} {
			_, _, err := s.List(&cutOff{t.Context(), left}, q)
			if q.GrantID != "" && left > 0 {
				require.NoError(t, err) // a family is read at once
				continue
			}
			require.ErrorIs(t, err, context.Canceled, "%d", left)
		}
	}
}

// A cursor has one spelling, and only the store itself can make it.
//
// Holds: house: one contract for stores.
func TestList_CursorIsTheStores(t *testing.T) {
	t.Parallel()
	s := New()
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, s.Insert(t.Context(), token(storage.Code, name, "grant", time.Now().Add(time.Hour))))
	}
	_, cursor, err := s.List(t.Context(), storage.Query{Limit: 1})
	require.NoError(t, err)
	require.Len(t, cursor, cursorLength)
	_, _, err = s.List(t.Context(), storage.Query{After: cursor})
	require.NoError(t, err)
	for i := range cursor {
		b := []byte(cursor)
		if b[i]++; cursor[i] == 'Z' || cursor[i] == 'z' || cursor[i] == '9' || cursor[i] == '_' || cursor[i] == '-' {
			b[i] = 'A'
		}
		_, _, err = s.List(t.Context(), storage.Query{After: string(b)})
		require.Error(t, err, "%d", i)
	}
	for _, other := range []string{"x", cursor[:cursorLength-1], cursor + "A", New().cursor(id{kind: 0}), s.cursor(id{kind: 999})} {
		_, _, err = s.List(t.Context(), storage.Query{After: other})
		require.Error(t, err, other)
	}
}

// A reference names the one shard that it points into. No reference names none.
func TestRef_NamesItsShard(t *testing.T) {
	t.Parallel()
	require.Zero(t, ref(0).shardSet())
	for _, n := range []int{0, 1, 31, shardCount - 1} {
		r := ref(n)<<placeBits | 7
		require.Equal(t, n, r.shard())
		require.Equal(t, shardSet(1)<<n, r.shardSet())
	}
}
