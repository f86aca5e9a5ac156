package migrate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A grant whose export does not say when its user authenticated has no such time, and
// not the beginning of the calendar.
func TestTokens_WithoutAuthTime(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	_, err := run(t, store, grant("1", fmt.Sprintf(`"access":[%s]`, token("access", time.Hour))))
	require.NoError(t, err)
	rec, err := store.Get(t.Context(), storage.Access, key("access"))
	require.NoError(t, err)
	d, err := record.Decode(rec)
	require.NoError(t, err)
	require.Zero(t, d.AuthTime)
}
