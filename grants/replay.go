package grants

import (
	"context"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/storage"
)

// Replay implements [assertion.ReplayStore] by records, so that an assertion that was used
// at one instance is refused at all others.
type Replay struct {
	// Records is the store that the instances share. Required. Issuers that share one
	// wrap it by storage.ForIssuer, so that each remembers its own assertions.
	Records storage.Records
}

var _ assertion.ReplayStore = Replay{}

// Use implements [assertion.ReplayStore]. Assertions of two issuers may have the same ID.
//
// While the server answers a request, Use only looks. The server marks the assertion as
// used when nothing else can refuse the request, so that a request that is refused for
// its parameters uses up nothing. If another request is first, this one is refused then.
func (r Replay) Use(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	namespace := "assertion " + issuer
	use := func(ctx context.Context) (bool, error) {
		first, err := storage.UseOnce(ctx, r.Records, namespace, id, until)
		if err != nil {
			err = Unavailable(err)
		}
		return first, err
	}
	list := later.Of(ctx)
	if list == nil {
		return storage.UseOnce(ctx, r.Records, namespace, id, until)
	}

	used, err := storage.UsedBefore(ctx, r.Records, namespace, id)
	if err != nil || used {
		return false, err
	}

	return list.Add(storage.JoinKey(namespace, id), use), nil
}
