package limit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A guess is made if its key has room, and its outcome is then reported. Past the
// limit the caller learns how long it must wait.
func ExampleNewMemory() {
	limiter := limit.NewMemory(map[string]limit.Limit{
		"user": {Failures: 2, Window: time.Minute},
	})
	for range 3 {
		done, wait, err := limiter.Attempt(context.Background(), "user:ann")
		if err != nil {
			fmt.Println(err)
			return
		}
		if wait > 0 {
			fmt.Println("wait", wait.Round(time.Minute))
			return
		}
		done(false) // the password was wrong
		fmt.Println("wrong")
	}
	// Output:
	// wrong
	// wrong
	// wait 1m0s
}

// A client that many people use may have a limit of its own, by its class: see
// Config.LimitClass of the server.
func ExampleLimit() {
	limits := limit.Default()
	limits["client/kiosk"] = limit.Limit{Failures: 200, Window: time.Minute}
	limiter := limit.NewMemory(limits)

	_, wait, err := limiter.Attempt(context.Background(), "client/kiosk:k1 192.0.2.1")
	fmt.Println(wait, err)
	// Output: 0s <nil>
}

// Instances of a server that share a store share their limits: what one of them
// counted, the other one refuses.
func ExampleNewShared() {
	store := memstore.New()
	limits := map[string]limit.Limit{"user": {Failures: 1, Window: time.Minute}}
	first, err := limit.NewShared(store, limits)
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := limit.NewShared(store, limits)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	done, _, err := first.Attempt(ctx, "user:ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	done(false)
	_, wait, err := second.Attempt(ctx, "user:ann")
	fmt.Println(wait.Round(time.Minute), err)
	// Output: 1m0s <nil>
}
