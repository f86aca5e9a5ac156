package grants

import (
	"context"
	"time"

	"github.com/grantwell/grantwell/assertion"
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
func (r Replay) Use(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	return storage.UseOnce(ctx, r.Records, "assertion "+issuer, id, until)
}
