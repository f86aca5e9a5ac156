package memstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/grantwell/grantwell/storage"
)

func BenchmarkInsert(b *testing.B) {
	ctx, s := context.Background(), New()
	recs := make([]storage.Record, b.N)
	for i := range recs {
		recs[i] = live(storage.Access, i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range recs {
		if err := s.Insert(ctx, recs[i]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	ctx, s := context.Background(), New()
	const n = 100_000
	keys := make([]string, n)
	for i := range keys {
		r := live(storage.Access, i)
		keys[i] = r.Key
		if err := s.Insert(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
	var worker atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(worker.Add(7919)); pb.Next(); i += 31 {
			if _, err := s.Get(ctx, storage.Access, keys[i%n]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkAdvance spends a code and stores an access and a refresh token.
func BenchmarkAdvance(b *testing.B) {
	ctx, s := context.Background(), New()
	type redemption struct{ code, access, refresh storage.Record }
	all := make([]redemption, b.N)
	for i := range all {
		all[i] = redemption{live(storage.Code, i), live(storage.Access, i), live(storage.Refresh, i)}
		if err := s.Insert(ctx, all[i].code); err != nil {
			b.Fatal(err)
		}
		all[i].code.State = storage.Spent
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range all {
		if err := s.Advance(ctx, storage.Active, all[i].code, all[i].access, all[i].refresh); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRevoke(b *testing.B) {
	ctx, s := context.Background(), New()
	for i := range b.N {
		if err := s.Insert(ctx, live(storage.Access, i), live(storage.Refresh, i)); err != nil {
			b.Fatal(err)
		}
	}
	grants := make([]string, b.N)
	for i := range grants {
		grants[i] = live(storage.Access, i).GrantID
	}
	b.ResetTimer()
	for _, g := range grants {
		if err := s.Revoke(ctx, g); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports the bytes of a record, at several fill levels of the
// maps behind it.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{50_000, 100_000, 120_000, 300_000} {
		for name, kinds := range map[string][]storage.Kind{"access": {storage.Access}, "access+refresh": {storage.Access, storage.Refresh}} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				for range b.N {
					b.ReportMetric(heapPerGrant(b, n, kinds), "B/grant")
				}
			})
		}
	}
}

// BenchmarkClient finds a client, as every request does at least once.
func BenchmarkClient(b *testing.B) {
	ctx, s := context.Background(), New()
	web := storage.Client{ID: "web", Secrets: []storage.Secret{storage.HashSecret("one"), storage.HashSecret("two")},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, ResponseTypes: []string{"code"},
		RedirectURIs: []string{"https://app.example/cb", "http://127.0.0.1:8080/cb"}, Origins: []string{"https://app.example"},
		Scope: []string{"openid", "profile", "orders:read"}, DefaultScope: []string{"openid"}, Audience: []string{"https://api.example.com"},
		Contacts: []string{"ops@app.example"}}
	if err := s.PutClient(ctx, web); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Client(ctx, "web"); err != nil {
			b.Fatal(err)
		}
	}
}
