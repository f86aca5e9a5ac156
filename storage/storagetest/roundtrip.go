package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// states are all states.
var states = []storage.State{storage.Pending, storage.Active, storage.Spent, storage.Denied, storage.Revoked}

// roundTrip requires that records of every kind and state are returned as they were
// stored, and so is one with the required fields only.
func roundTrip(p *probe) {
	kinds := []storage.Kind{
		storage.Code, storage.Access, storage.Refresh, storage.DeviceCode, storage.UserCode,
		storage.Pushed, storage.Interaction, storage.Consent, storage.Used, "a_kind_of_the_host_itself_that_is",
	}
	kinds[9] = kinds[9][:32]
	for i, kind := range kinds {
		r := with(p.record(kind, fmt.Sprint(i), "g"), states[i%len(states)])
		p.insert(r)
		p.stored(r)
	}

	bare := storage.Record{Kind: storage.Used, Key: p.key("bare"), State: storage.Spent, IssuedAt: time.Unix(1_700_000_000, 0).UTC()}
	p.insert(bare)
	p.stored(bare)
	p.insert() // nothing to store is no error
}

// times requires that times are returned as the same instants in UTC, to the
// millisecond, after an Insert and after an Advance.
func times(p *probe) {
	zone := time.FixedZone("far east", 14*3600)
	west := time.FixedZone("west, by halves", -(9*3600 + 1800))
	at := time.Date(2031, 7, 1, 3, 4, 5, 678_000_000, zone)
	for i, r := range []storage.Record{
		{IssuedAt: at, ExpiresAt: at.Add(time.Millisecond).In(west)},
		{IssuedAt: at.Add(999 * time.Millisecond), ExpiresAt: at.Add(333_333_333)},
		{IssuedAt: at.Add(999_999_999), ExpiresAt: at.Add(time.Hour).Add(1)},
		{IssuedAt: at}, // never expires
	} {
		full := p.record(storage.Access, fmt.Sprint(i), "g")
		full.IssuedAt, full.ExpiresAt = r.IssuedAt, r.ExpiresAt
		p.insert(full)
		p.stored(full)
		full.State, full.IssuedAt = storage.Spent, full.IssuedAt.Add(time.Second)
		require.NoError(p, p.store.Advance(p.ctx, storage.Active, full))
		p.stored(full)
	}
}

// clockEdges requires that times around the limits of integers are kept.
func clockEdges(p *probe) {
	for i, at := range []time.Time{
		time.Unix(0, 0),
		time.Unix(-1, 999_000_000),
		time.Unix(1<<31-1, 0), time.Unix(1<<31, 1_000_000),
		time.Unix(1<<32-1, 0), time.Unix(1<<32, 1_000_000),
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), // the end of 63 bits of nanoseconds
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
	} {
		r := p.record(storage.Refresh, fmt.Sprint(i), "g")
		r.IssuedAt = at
		if r.ExpiresAt = at; at.Before(time.Now()) {
			r.ExpiresAt = time.Time{} // expiredStay tests expired records
		}
		p.insert(r)
		p.stored(r)
	}
}

// emptyLists requires that lists keep their order and their duplicates, and that
// empty lists and data are returned empty.
func emptyLists(p *probe) {
	for i, list := range [][]string{nil, {}, {"one"}, {"b", "a"}, {"twice", "twice"}} {
		r := p.record(storage.Code, fmt.Sprint(i), "g")
		r.Scope, r.Audience, r.Data = list, list, nil
		if i%2 == 1 {
			r.Data = []byte{}
		}
		p.insert(r)
		p.stored(r)
	}
}

// largeData requires that data of the largest size, binary data and long lists are
// kept.
func largeData(p *probe) {
	r := p.record(storage.Code, "large", "g")
	r.Data = append(append([]byte(`"`), bytes.Repeat([]byte("x"), storage.MaxData-2-storage.SealOverhead)...), '"')
	p.insert(r)
	p.stored(r)

	// Every byte, and pairs that are not UTF-8.
	binary := p.record(storage.Code, "binary", "g")
	binary.Data = nil
	for i := range 512 {
		binary.Data = append(binary.Data, byte(i), byte(i/3))
	}
	p.insert(binary)
	p.stored(binary)

	many := p.record(storage.Consent, "many", "g")
	many.Scope, many.Audience = nil, nil
	for i := range 300 {
		many.Scope = append(many.Scope, fmt.Sprintf("scope:%d:%s", i, strings.Repeat("s", i)))
		many.Audience = append(many.Audience, fmt.Sprintf("https://api%d.example/%s", i, strings.Repeat("a", i)))
	}
	many.Subject = strings.Repeat("subject ", 30)
	p.insert(many)
	p.stored(many)
}

// oddText requires that text is kept byte for byte: spaces, quotes, line ends,
// Unicode in several forms.
func oddText(p *probe) {
	for i, text := range []string{
		" leading", "trailing ", "UPPER", "upper", `quote " and ' and ` + "`", `back\slash`, "a,b;c|d", "{a,b}", "%s %", "_", "line\r\nbreak", "tab\t",
		"żółć", "e\u0301 is not é", "日本語", "👩‍👩‍👧", "\u202eright to left", "\ufeffmark", "'; DROP TABLE records; --", "NULL", "\x01\x1f\x7f",
	} {
		r := p.record(storage.Consent, fmt.Sprint(i), "g")
		r.ClientID, r.Subject = text, text
		r.GrantID = p.grant(text)
		r.Audience = []string{text, "", text + text}
		r.Scope = []string{"!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "a:b", "A:B"}
		r.Data = []byte(`{"text":"\u0000 \ud800 ` + "é日\u2028" + `"}`)
		p.insert(r)
		p.stored(r)
	}
}

// keysExact requires that keys are compared byte for byte.
func keysExact(p *probe) {
	rest := p.key("exact")[2:]
	var recs []storage.Record
	add := func(key string) {
		r := p.record(storage.Code, "", "g")
		r.Key, r.Subject = key, fmt.Sprint("subject ", len(recs))
		recs = append(recs, r)
	}
	for _, start := range []string{"aa", "aA", "Aa", "AA", "-_", "_-"} {
		add(start + rest)
	}
	for _, key := range []string{"short", "Short", "short ", "sh%rt", "sh_rt", "clé", "cle\u0301", strings.Repeat("k", 255), strings.Repeat("k", 254), strings.Repeat("=", 43), "a/b:c{d}"} {
		add(key)
	}

	// The last of 43 characters carries four bits. Keys that end in A and B decode
	// to the same bytes, and are different keys.
	add(strings.Repeat("A", 42) + "A")
	add(strings.Repeat("A", 42) + "B")
	for _, r := range recs {
		p.insert(r)
	}
	for _, r := range recs {
		p.stored(r)
	}
}

// kindsSeparate requires that equal keys of different kinds are independent.
func kindsSeparate(p *probe) {
	code := p.record(storage.Code, "same", "one")
	refresh := with(p.record(storage.Refresh, "same", "two"), storage.Pending)
	access := p.record(storage.Access, "same", "three")
	p.insert(code)
	p.missing(refresh, access)
	require.ErrorIs(p, p.store.Advance(p.ctx, storage.Active, access), storage.ErrNotFound)
	p.insert(refresh, access)
	require.NoError(p, p.store.Advance(p.ctx, storage.Active, with(code, storage.Spent)))
	p.stored(with(code, storage.Spent))
	p.stored(refresh)
	p.stored(access)
}

// notFound requires ErrNotFound for keys that are not stored, in any form.
func notFound(p *probe) {
	r := p.record(storage.Code, "there", "g")
	p.missing(r)
	p.insert(r)
	p.missing(p.record(storage.Code, "elsewhere", "g"))
	for _, key := range []string{"", " ", r.Key + " ", r.Key[:42], strings.ToUpper(r.Key) + "x", strings.Repeat("k", 5000)} {
		_, err := p.store.Get(p.ctx, storage.Code, key)
		require.ErrorIs(p, err, storage.ErrNotFound)
	}
}

// takenKey requires ErrExists for a taken key, in any state of the stored record.
func takenKey(p *probe) {
	for i, s := range states {
		r := with(p.record(storage.Code, fmt.Sprint(i), "g"), s)
		p.insert(r)
		other := p.record(storage.Code, fmt.Sprint(i), "other")
		require.ErrorIs(p, p.store.Insert(p.ctx, other), storage.ErrExists, "Insert over a record in state %d", s)
		p.stored(r)
	}

	// Single use of identifiers rests on this.
	first, err := storage.UseOnce(p.ctx, p.store, p.salt, "jti", time.Now().Add(time.Hour))
	require.NoError(p, err)
	require.True(p, first)
	first, err = storage.UseOnce(p.ctx, p.store, p.salt, "jti", time.Now().Add(time.Hour))
	require.NoError(p, err)
	require.False(p, first)
}

// insertAllOrNothing requires that an Insert with one taken key, in any position,
// stores no record.
func insertAllOrNothing(p *probe) {
	taken := p.record(storage.Code, "taken", "h")
	p.insert(taken)
	for i := range 5 {
		grant := fmt.Sprint(i)
		a, b, c := p.record(storage.Access, "a"+grant, grant), p.record(storage.Refresh, "b"+grant, grant), p.record(storage.Access, "c"+grant, grant)
		recs := [][]storage.Record{{taken, a, b}, {a, taken, b}, {a, b, taken}, {a, a}, {a, b, c, with(b, storage.Spent)}}[i]
		require.ErrorIs(p, p.store.Insert(p.ctx, recs...), storage.ErrExists)
		p.unused(a, b, c)
		p.kept(taken)
		if !p.opts.Spread {
			p.insert(a, b, c) // the failed attempt has left nothing behind
			p.stored(b)
		}
	}
}

// invalidRefused requires that invalid records are refused, together with the valid
// ones of the same write.
func invalidRefused(p *probe) {
	good, other := p.record(storage.Code, "good", "g"), p.record(storage.Access, "other", "g")
	p.insert(good)
	for what, bad := range map[string]func(*storage.Record){
		"no kind":    func(r *storage.Record) { r.Kind = "" },
		"odd kind":   func(r *storage.Record) { r.Kind = "Code;" },
		"no key":     func(r *storage.Record) { r.Key = "" },
		"long key":   func(r *storage.Record) { r.Key = strings.Repeat("k", 256) },
		"no state":   func(r *storage.Record) { r.State = 0 },
		"odd state":  func(r *storage.Record) { r.State = 6 },
		"large data": func(r *storage.Record) { r.Data = make([]byte, storage.MaxData+1) },
		"NUL":        func(r *storage.Record) { r.Subject = "a\x00b" },
		"not UTF-8":  func(r *storage.Record) { r.Scope = []string{"\xff"} },
	} {
		r := p.record(storage.Refresh, what, "g")
		bad(&r)
		require.Error(p, p.store.Insert(p.ctx, other, r), what)
		require.Error(p, p.store.Advance(p.ctx, storage.Active, with(good, storage.Spent), other, r), what)
		// The invalid record may also be the one to replace.
		if r.Kind == storage.Refresh {
			r.Kind, r.Key = good.Kind, good.Key
			if what != "no key" && what != "long key" {
				require.Error(p, p.store.Advance(p.ctx, storage.Active, r, other), what)
			}
		}
		p.missing(other)
		p.stored(good)
	}
}

// noSharedMemory requires that the store and its callers share no slices.
func noSharedMemory(p *probe) {
	fresh := func() storage.Record { return p.record(storage.Code, "mine", "g") }
	spoil := func(r *storage.Record) { r.Scope[0], r.Audience[0], r.Data[0] = "admin", "evil", 'X' }
	check := func(call string, want storage.Record) {
		for range 2 { // a second reader would see the changes of the first one
			got := p.get(want)
			require.Equal(p, want.Scope, got.Scope, "Scope after a slice was changed that %s had", call)
			require.Equal(p, want.Audience, got.Audience, "Audience after a slice was changed that %s had", call)
			require.Equal(p, string(want.Data), string(got.Data), "Data after a slice was changed that %s had", call)
			spoil(&got)
		}
	}
	in := fresh()
	p.insert(in)
	spoil(&in)
	check("Insert", fresh())
	next, more := with(fresh(), storage.Spent), p.record(storage.Access, "more", "g")
	require.NoError(p, p.store.Advance(p.ctx, storage.Active, next, more))
	spoil(&next)
	spoil(&more)
	check("Advance", with(fresh(), storage.Spent))
	check("Advance", p.record(storage.Access, "more", "g"))
}

// cancelled requires that a call with a cancelled context fails and changes
// nothing. ErrNotFound would be wrong: the caller would take a token as unknown.
func cancelled(p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	r, fresh := p.record(storage.Code, "r", "g"), p.record(storage.Access, "fresh", "g")
	p.insert(r)
	require.Error(p, p.store.Insert(ctx, fresh), "Insert with a cancelled context")
	require.Error(p, p.store.Advance(ctx, storage.Active, with(r, storage.Spent), fresh), "Advance with a cancelled context")
	require.Error(p, p.store.Revoke(ctx, r.GrantID), "Revoke with a cancelled context")
	_, err := p.store.Get(ctx, r.Kind, r.Key)
	require.Error(p, err, "Get with a cancelled context")
	require.NotErrorIs(p, err, storage.ErrNotFound)
	p.stored(r)
	p.missing(fresh)
	if s, ok := p.store.(storage.Sweeper); ok {
		n, err := s.Sweep(ctx, r.ExpiresAt.Add(time.Hour), 10)
		require.Error(p, err, "Sweep with a cancelled context")
		require.Zero(p, n)
		p.stored(r)
	}
	if l, ok := p.store.(storage.Lister); ok {
		_, _, err := l.List(ctx, storage.Query{})
		require.Error(p, err, "List with a cancelled context")
	}
}
