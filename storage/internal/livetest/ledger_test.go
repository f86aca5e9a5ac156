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

// answer is the answer that a caller received.
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

// attempts is the number of attempts at each code.
const attempts = 2

// entry is what the ledger has recorded about one code.
type entry struct {
	code     storage.Record
	tokens   [attempts][2]storage.Record
	redeemed [attempts]answer
	rotation storage.Record // of the first attempt's refresh token
	rotated  answer
	revoked  answer
}

// ledger records, outside of the database, what the database has acknowledged.
type ledger struct {
	mu      sync.Mutex
	entries []*entry
	n       atomic.Int64
	acked   atomic.Int64

	// early is set if the database shows a commit before it is durable, as
	// InnoDB does. A caller may then lose against a winner whose commit is lost
	// in the crash, before the winner has an answer. The code is active again,
	// and no acknowledged write is lost.
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

// findings counts the broken promises. Every one has to be zero.
type findings struct {
	lost        int // acknowledged, and not there
	double      int // two redemptions of one code
	half        int // a part of a write
	resurrected int // revoked, and usable
	wrong       int // refused, and there
	reopened    int // refused, and the code is still active
}

// audit compares entries of a ledger with a store.
type audit struct {
	t     *testing.T
	store storage.Records
	findings

	redeemed int
	revoked  int
	open     int // answers that are unknown
}

// check compares the ledger with what one instance reads.
func (l *ledger) check(t *testing.T, s storage.Records) {
	t.Helper()
	a := audit{t: t, store: s}
	for _, e := range l.entries {
		a.entry(e)
	}
	t.Logf("%d codes, %d acknowledged redemptions, %d acknowledged revocations, %d answers unknown: "+
		"%d lost, %d double, %d half-issued, %d resurrected, %d wrongly refused, %d refused although no caller was answered",
		len(l.entries), a.redeemed, a.revoked, a.open,
		a.lost, a.double, a.half, a.resurrected, a.wrong, a.reopened)
	require.NotZero(t, a.redeemed)
	require.NotZero(t, a.revoked)
	if l.early {
		a.reopened = 0
	}
	require.Zero(t, a.findings)
}

// state returns the stored state of a record, 0 if there is none.
func (a *audit) state(r storage.Record) storage.State {
	got, err := a.store.Get(a.t.Context(), r.Kind, r.Key)
	if errors.Is(err, storage.ErrNotFound) {
		return 0
	}
	require.NoError(a.t, err)
	return got.State
}

// entry compares one code and what was issued for it.
func (a *audit) entry(e *entry) {
	code := a.state(e.code)
	if code == 0 {
		a.lost++ // an acknowledged Insert
		return
	}

	wins, present := 0, 0
	for i := range e.redeemed {
		if e.redeemed[i] == done {
			wins++
		}
		if a.redemption(e, i, code) {
			present++
		}
	}
	if wins > 1 || present > 1 {
		a.double++
	}
	a.redeemed += wins

	if e.revoked == done {
		a.revoked++
		if code != storage.Revoked {
			a.resurrected++
		}
	}
	if e.rotation.Key != "" {
		a.rotation(e)
	}
}

// redemption compares one attempt at a code, and reports whether its tokens are
// there.
func (a *audit) redemption(e *entry, i int, code storage.State) (present bool) {
	access, refresh := a.state(e.tokens[i][0]), a.state(e.tokens[i][1])
	if (access == 0) != (refresh == 0) || access != 0 && code == storage.Active {
		a.half++
	}
	switch answer := e.redeemed[i]; {
	case answer == done && (access == 0 || code == storage.Active):
		a.lost++
	case answer == refused && access != 0:
		a.wrong++
	case answer == refused && code == storage.Active:
		a.reopened++
	case answer == unknown:
		a.open++
	}
	if e.revoked == done && (usable(access) || usable(refresh)) {
		a.resurrected++
	}
	return access != 0
}

// rotation compares the rotation of a refresh token.
func (a *audit) rotation(e *entry) {
	next, old := a.state(e.rotation), a.state(e.tokens[0][1])
	if e.rotated == done && (next == 0 || old == storage.Active) {
		a.lost++
	}
	if next != 0 && old == storage.Active {
		a.half++
	}
	if e.revoked == done && usable(next) {
		a.resurrected++
	}
}

// usable reports whether a record is there and not revoked.
func usable(s storage.State) bool { return s != 0 && s != storage.Revoked }
