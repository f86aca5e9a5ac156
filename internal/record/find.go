package record

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Find returns the record of an access or refresh token: one of this server's
// tokens, or one that another server issued and whose record was imported.
// own says that the token has the form of this server's tokens; imported are the
// forms of the others. The store is asked once if own, and once for each form that
// fits. The error is [storage.ErrNotFound] if no record matches.
func Find(
	ctx context.Context,
	records storage.Records,
	kind storage.Kind,
	token string,
	own bool,
	imported []tokens.Imported,
) (storage.Record, error) {
	if own {
		rec, err := records.Get(ctx, kind, storage.Key(token))
		if !errors.Is(err, storage.ErrNotFound) {
			return rec, err
		}
	}
	for _, form := range imported {
		digest, ok := form.Digest(token)
		if !ok {
			continue
		}
		rec, err := records.Get(ctx, kind, storage.ImportedKey(digest))
		if !errors.Is(err, storage.ErrNotFound) {
			return rec, err
		}
	}

	return storage.Record{}, storage.ErrNotFound
}
