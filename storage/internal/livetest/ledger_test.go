//go:build linux

package livetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// answer is what a caller was told.
type answer int

const (
	unknown answer = iota // an error: it happened or it did not
	done
	refused
)

func answerOf(err error) answer {
	switch {
	case err == nil:
		return done
	case errors.Is(err, storage.ErrConflict):
		return refused
	}
	return unknown
}

// attempts at each code.
const attempts = 2

// entry is what the ledger knows about one code.
type entry struct {
	code     storage.Record
	tokens   [attempts][2]storage.Record
	redeemed [attempts]answer
	rotation storage.Record // of the first attempt's refresh token
	rotated  answer
	revoked  answer
}

// ledger notes outside the database what it has acknowledged.
type ledger struct {
	mu      sync.Mutex
	entries []*entry
	n       atomic.Int64
	acked   atomic.Int64

	// early says that the database shows a commit before it is durable, as InnoDB does: a loser may then be refused for
	// the sake of a winner whom the crash undoes before anybody has told him that he won. The code is open again,
	// and nothing that was acknowledged is lost.
	early bool
}

func record(kind storage.Kind, name, grant string) storage.Record {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return storage.Record{Kind: kind, Key: storage.Key(name), State: storage.Active, GrantID: grant, ClientID: "client", Subject: "alice",
		Scope: []string{"read", "write"}, Audience: []string{"https://api.example"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		Data: []byte(`{"redirect_uri":"https://app.example/cb"}`)}
}

func spent(r storage.Record) storage.Record { r.State = storage.Spent; return r }

// work redeems, rotates and revokes until ctx ends. Each call has a second.
func (l *ledger) work(ctx context.Context, s storage.Records) {
	call := func(f func(context.Context) error) error {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return f(c)
	}
	for ctx.Err() == nil {
		n := l.n.Add(1)
		grant := fmt.Sprint("grant", n)
		e := &entry{code: record(storage.Code, fmt.Sprint("code", n), grant)}
		if call(func(ctx context.Context) error { return s.Insert(ctx, e.code) }) != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		l.mu.Lock()
		l.entries = append(l.entries, e)
		l.mu.Unlock()
		var wg sync.WaitGroup
		for i := range attempts {
			e.tokens[i] = [2]storage.Record{record(storage.Access, fmt.Sprint("access", n, ".", i), grant), record(storage.Refresh, fmt.Sprint("refresh", n, ".", i), grant)}
			wg.Go(func() {
				e.redeemed[i] = answerOf(call(func(ctx context.Context) error {
					return s.Advance(ctx, storage.Active, spent(e.code), e.tokens[i][:]...)
				}))
				if e.redeemed[i] == done {
					l.acked.Add(1)
				}
			})
		}
		wg.Wait()
		if n%3 == 0 && e.redeemed[0] == done {
			e.rotation = record(storage.Refresh, fmt.Sprint("rotation", n), grant)
			e.rotated = answerOf(call(func(ctx context.Context) error {
				return s.Advance(ctx, storage.Active, spent(e.tokens[0][1]), e.rotation)
			}))
		}
		if n%4 == 0 {
			e.revoked = answerOf(call(func(ctx context.Context) error { return s.Revoke(ctx, grant) }))
		}
	}
}

// findings counts what must be nought.
type findings struct{ lost, double, half, resurrected, wrong, reopened int }

// check compares the ledger with the store, on every instance's view of it.
func (l *ledger) check(t *testing.T, s storage.Records) {
	t.Helper()
	var f findings
	redeemed, revoked, open := 0, 0, 0
	state := func(r storage.Record) storage.State {
		got, err := s.Get(t.Context(), r.Kind, r.Key)
		if errors.Is(err, storage.ErrNotFound) {
			return 0
		}
		require.NoError(t, err)
		return got.State
	}
	for _, e := range l.entries {
		code := state(e.code)
		if code == 0 {
			f.lost++ // an acknowledged Insert
			continue
		}
		wins, present := 0, 0
		for i, a := range e.redeemed {
			access, refresh := state(e.tokens[i][0]), state(e.tokens[i][1])
			if (access == 0) != (refresh == 0) || access != 0 && code == storage.Active {
				f.half++
			}
			if access != 0 {
				present++
			}
			switch {
			case a == done && (access == 0 || code == storage.Active):
				f.lost++
			case a == refused && access != 0:
				f.wrong++
			case a == refused && code == storage.Active:
				f.reopened++
			case a == unknown:
				open++
			}
			if a == done {
				wins++
			}
			if e.revoked == done && (access != 0 && access != storage.Revoked || refresh != 0 && refresh != storage.Revoked) {
				f.resurrected++
			}
		}
		if wins > 1 || present > 1 {
			f.double++
		}
		redeemed += wins
		if e.revoked == done {
			revoked++
			if code != storage.Revoked {
				f.resurrected++
			}
		}
		if e.rotation.Key != "" {
			next, old := state(e.rotation), state(e.tokens[0][1])
			if e.rotated == done && (next == 0 || old == storage.Active) {
				f.lost++
			}
			if next != 0 && old == storage.Active {
				f.half++
			}
			if e.revoked == done && next != 0 && next != storage.Revoked {
				f.resurrected++
			}
		}
	}
	t.Logf("%d codes, %d acknowledged redemptions, %d acknowledged revocations, %d answers unknown: %d lost, %d double, %d half-issued, %d resurrected, %d wrongly refused, %d refused for a winner who was not told",
		len(l.entries), redeemed, revoked, open, f.lost, f.double, f.half, f.resurrected, f.wrong, f.reopened)
	require.NotZero(t, redeemed)
	require.NotZero(t, revoked)
	if l.early {
		f.reopened = 0
	}
	require.Zero(t, f)
}
