package tokens

import "testing"

func BenchmarkOpaque(b *testing.B) {
	o := Opaque{Prefix: "gw_at_"}
	token, _ := o.Mint(b.Context(), Claims{})
	b.Run("Mint", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = o.Mint(b.Context(), Claims{})
			}
		})
	})
	b.Run("Verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = o.Verify(b.Context(), token)
		}
	})
}

func BenchmarkJWT(b *testing.B) {
	for _, algorithm := range allAlgorithms {
		j := strategy(b, keyFor(b, algorithm))
		c := someClaims()
		token, err := j.Mint(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(algorithm+"/Mint", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = j.Mint(b.Context(), c)
			}
		})
		b.Run(algorithm+"/Verify", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = j.Verify(b.Context(), token)
			}
		})
	}
}
