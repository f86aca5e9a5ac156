package observe_test

import (
	"context"
	"fmt"

	"github.com/grantwell/grantwell/grants/observe"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

func ExampleRecords() {
	observer := func(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
		return ctx, func(out observe.Outcome) {
			fmt.Println(c.Part, c.Name, c.Kind, out)
		}
	}
	records := observe.Records(observer, memstore.New())

	_, _ = records.Get(context.Background(), storage.Refresh, storage.Key("a token"))
	// Output: records Get refresh not_found
}
