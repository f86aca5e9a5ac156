package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/tokens"
)

func ExampleOpaque() {
	ctx := context.Background()
	opaque := tokens.Opaque{Prefix: "gw_at_"}
	token, err := opaque.Mint(ctx, tokens.Claims{})
	if err != nil {
		panic(err)
	}
	fmt.Println(token[:6], len(token))
	_, err = opaque.Verify(ctx, token[:len(token)-1])
	fmt.Println(errors.Is(err, tokens.ErrInvalid))
	// Output:
	// gw_at_ 55
	// true
}

func ExampleStrategy() {
	ctx := context.Background()
	key, err := tokens.GenerateKey(tokens.ES256)
	if err != nil {
		panic(err)
	}
	keys, err := tokens.StaticKeys(key)
	if err != nil {
		panic(err)
	}
	var strategy tokens.Strategy = tokens.JWT{Keys: keys, Issuer: "https://as.example"}
	token, err := strategy.Mint(ctx, tokens.Claims{
		Subject: "user-1", ClientID: "app", ID: "1", Audience: []string{"https://api.example"}, Scope: []string{"read"},
		IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		panic(err)
	}
	claims, err := strategy.Verify(ctx, token)
	fmt.Println(claims.Subject, claims.Scope, err)
	// Output: user-1 [read] <nil>
}

// The next key is in the schedule long before it signs, so that every resource
// server has it when the first token names it.
func ExampleKeys() {
	ctx := context.Background()
	current, _ := tokens.GenerateKey(tokens.EdDSA)
	next, _ := tokens.GenerateKey(tokens.EdDSA)
	var keys tokens.Keys = &tokens.Rotation{
		Source: tokens.Schedule(
			tokens.ScheduledKey{Key: current},
			tokens.ScheduledKey{Key: next, NotBefore: time.Now().Add(time.Hour)},
		),
		PublishAhead: 2 * time.Hour,
		Keep:         time.Hour,
	}
	signing, _ := keys.Signing(ctx)
	published, _ := keys.Published(ctx)
	fmt.Println(signing.ID == current.ID, len(published))
	// Output: true 2
}
