package storagetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// list reads all pages and returns how often each record was listed. between, if
// it is not nil, is called after each page but the last.
func (p *probe) list(q storage.Query, between func(page []storage.Record)) map[string]int {
	p.Helper()
	seen := map[string]int{}
	// A cursor that never ends fails the case.
	for range 10_000 {
		page, next, err := p.store.(storage.Lister).List(p.ctx, q)
		require.NoError(p, err, "List")
		if q.Limit > 0 && q.Limit <= 1000 {
			require.LessOrEqual(p, len(page), q.Limit, "records of a page")
		}
		for _, r := range page {
			seen[string(r.Kind)+" "+r.Key]++
		}
		if next == "" {
			return seen
		}
		if between != nil {
			between(page)
		}
		require.NotEqual(p, q.After, next, "the cursor does not advance")
		q.After = next
	}
	require.Fail(p, "the listing does not end")
	return nil
}

// once requires that each of the records was listed once, and no other record,
// unless others are allowed.
func (p *probe) once(seen map[string]int, want []storage.Record, others bool) {
	p.Helper()
	for _, r := range want {
		require.Equal(p, 1, seen[string(r.Kind)+" "+r.Key], "times that a %s was listed", r.Kind)
	}
	for key, n := range seen {
		require.Equal(p, 1, n, "times that %s was listed", key)
	}
	if !others {
		require.Len(p, seen, len(want), "records listed")
	}
}

// many inserts n records of several kinds, clients, subjects and grants. Two of
// them have the same key in different kinds.
func (p *probe) many(n int) []storage.Record {
	p.Helper()
	kinds := []storage.Kind{storage.Consent, storage.Access, storage.Refresh}
	recs := make([]storage.Record, n)
	for i := range recs {
		r := p.record(kinds[i%3], fmt.Sprint(i/2), fmt.Sprint("g", i%11))
		r.ClientID, r.Subject, r.State = fmt.Sprint("client", i%5), fmt.Sprint("subject", i%7), states[i%len(states)]
		recs[i] = r
		p.insert(r)
	}
	return recs
}

// listPages requires that pages of any size list every record once, as Get returns
// it.
func listPages(p *probe) {
	require.Empty(p, p.list(storage.Query{}, nil), "an empty store")
	recs := p.many(60)

	// A key that is not base64url has to be listed too.
	recs[7].Key = "an odd key, not base64"
	p.insert(recs[7])
	recs = append(recs, p.record(recs[7].Kind, "3", "g7"))
	for _, limit := range []int{1, 7, 20, 61, 1000} {
		p.once(p.list(storage.Query{Limit: limit}, nil), recs, false)
	}
	all, _, err := p.store.(storage.Lister).List(p.ctx, storage.Query{Limit: 1000})
	require.NoError(p, err)
	for _, r := range all {
		p.same(p.get(r), r)
	}
}

// listFilters requires that every combination of conditions selects the right
// records. Conditions compare byte for byte.
func listFilters(p *probe) {
	recs := p.many(120)
	for i, q := range []storage.Query{
		{Kind: storage.Consent}, {ClientID: "client2"}, {Subject: "subject3"}, {GrantID: p.grant("g4")},
		{Kind: storage.Consent, ClientID: "client1"}, {ClientID: "client1", Subject: "subject1"},
		{Kind: storage.Access, Subject: "subject6"}, {GrantID: p.grant("g1"), Kind: storage.Access, ClientID: "client1", Subject: "subject1"},
		{Kind: storage.Pushed}, {Kind: "never_seen"}, {ClientID: "Client2"}, {ClientID: "client"}, {Subject: "subject%"}, {GrantID: "of no record"},
	} {
		var want []storage.Record
		for _, r := range recs {
			if (q.Kind == "" || r.Kind == q.Kind) && (q.ClientID == "" || r.ClientID == q.ClientID) &&
				(q.Subject == "" || r.Subject == q.Subject) && (q.GrantID == "" || r.GrantID == q.GrantID) {
				want = append(want, r)
			}
		}
		q.Limit = 1 + i%4
		p.once(p.list(q, nil), want, false)
	}
}

// listLimits requires that a limit out of range is 100.
func listLimits(p *probe) {
	recs := p.many(130)
	for _, limit := range []int{0, -1, 1001, 1 << 30} {
		page, next, err := p.store.(storage.Lister).List(p.ctx, storage.Query{Limit: limit})
		require.NoError(p, err)
		require.LessOrEqual(p, len(page), 100, "records of a page with limit %d", limit)
		require.NotEmpty(p, next)
		p.once(p.list(storage.Query{Limit: limit}, nil), recs, false)
	}
}

// listDuringWrites requires that records which exist during the whole listing are
// listed once, while others are written.
func listDuringWrites(p *probe) {
	recs := p.many(90)

	// One writer inserts without a pause.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var failed error
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if n < 2000 {
				if err := p.store.Insert(p.ctx, p.record(storage.Access, fmt.Sprint("meanwhile", n), "g1")); err != nil {
					failed = err
					return
				}
			}
		}
	})
	n := 0
	written := func(page []storage.Record) {
		n++
		// In any order of the store, some of 16 random keys sort before the
		// records that were listed already. Paging by offset fails with them.
		between := make([]storage.Record, 16)
		for i := range between {
			between[i] = p.record(storage.Refresh, fmt.Sprint("between", n, "-", i), "g1")
		}
		p.insert(between...)
		// A record that was listed and then changed must not be listed again.
		for _, r := range page {
			if n%3 == 0 && r.Subject == "subject3" {
				r.Data = []byte(`{"changed":true}`)
				require.NoError(p, p.store.Advance(p.ctx, r.State, r))
			}
		}
	}

	// Listings of everything, by kind and by grant use different indexes.
	whole := p.list(storage.Query{Limit: 30}, written)
	ofKind := p.list(storage.Query{Kind: storage.Consent, Limit: 4}, written)
	ofGrant := p.list(storage.Query{GrantID: p.grant("g4"), Limit: 2}, written)
	close(stop)
	wg.Wait()
	require.NoError(p, failed)
	p.once(whole, recs, true)
	var consents, grant []storage.Record
	for _, r := range recs {
		if r.Kind == storage.Consent {
			consents = append(consents, r)
		}
		if r.GrantID == p.grant("g4") {
			grant = append(grant, r)
		}
	}
	p.once(ofKind, consents, false)
	p.once(ofGrant, grant, false)
}

// listBadCursor requires an error for a cursor that the store did not make. A
// caller would otherwise believe that it has seen every record.
func listBadCursor(p *probe) {
	p.many(20)
	lister := p.store.(storage.Lister)
	_, next, err := lister.List(p.ctx, storage.Query{Limit: 5})
	require.NoError(p, err)
	require.NotEmpty(p, next)
	for _, cursor := range []string{
		"garbage", "0", "-1", "' OR 1=1 --", "*", "%", "\U0001F642", "{}", "null", "AAAA", p.key("0"),
		strings.Repeat("A", 10_000), next + "x", next[:len(next)/2],
	} {
		_, _, err := lister.List(p.ctx, storage.Query{After: cursor})
		require.Error(p, err, "List with a cursor that no store made")
	}
}
