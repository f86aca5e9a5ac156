package storage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// edges are times, and whether a database and JSON can keep them. Databases count
// microseconds in 64 bits, and JSON writes four digits of a year (RFC 3339
// section 1).
var edges = map[string]struct {
	at     time.Time
	stored bool
	json   bool
}{
	"zero":              {time.Time{}, true, true},
	"before 1970":       {time.Date(1931, 5, 1, 0, 0, 0, 0, time.UTC), true, true},
	"1970":              {time.Unix(0, 0), true, true},
	"2106":              {time.Unix(1<<32, 0), true, true},
	"end of 9999":       {time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), true, true},
	"9999, in a zone":   {time.Date(10000, 1, 1, 1, 0, 0, 0, time.FixedZone("east", 2*3600)), true, true},
	"10000, in a zone":  {time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -2*3600)), true, false},
	"10000":             {time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), true, false},
	"end of 294246":     {time.Date(294246, 12, 31, 23, 59, 59, 0, time.UTC), true, false},
	"294247":            {time.Date(294247, 1, 1, 0, 0, 0, 0, time.UTC), false, false},
	"294248":            {time.Date(294248, 1, 1, 0, 0, 0, 0, time.UTC), false, false},
	"far":               {time.Unix(1<<62, 0), false, false},
	"before the year 1": {time.Time{}.Add(-1), false, false},
	"long ago":          {time.Unix(-1<<62, 0), false, false},
}

// A record or client with a time that a database would wrap into another one is
// refused.
func TestValidate_RefusesTimesThatStoresCannotKeep(t *testing.T) {
	t.Parallel()
	for name, c := range edges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuance, expiry := issued(storage.Access, "a"), issued(storage.Access, "b")
			issuance.IssuedAt = c.at
			expiry.ExpiresAt = c.at
			for _, r := range []storage.Record{issuance, expiry} {
				err := memstore.New().Insert(t.Context(), r)
				if c.stored {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "years 1 to 294246")
				}
			}

			for field, set := range map[string]func(*storage.Client){
				"created_at":        func(m *storage.Client) { m.CreatedAt = c.at },
				"tokens_not_before": func(m *storage.Client) { m.TokensNotBefore = c.at },
				"secrets":           func(m *storage.Client) { m.Secrets[0].ExpiresAt = c.at },
			} {
				client := storage.Client{
					ID:         "m",
					AuthMethod: storage.AuthClientSecretBasic,
					GrantTypes: []string{"client_credentials"},
					Secrets:    []storage.Secret{storage.HashSecret("a secret of more than enough characters")},
				}
				set(&client)
				err := client.Validate()
				if c.json {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "storage: client "+field)
				}
			}
		})
	}
}

// An identifier is used once, however far its expiry is.
func TestUseOnce_KeepsMarksOfAnyExpiry(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for i, until := range []time.Time{time.Unix(1<<40, 0), time.Unix(1<<62, 0)} {
		id := string(rune('a' + i))
		first, err := storage.UseOnce(t.Context(), store, "issuer", id, until)
		require.NoError(t, err)
		require.True(t, first)
		first, err = storage.UseOnce(t.Context(), store, "issuer", id, until)
		require.NoError(t, err)
		require.False(t, first)

		n, err := store.Sweep(t.Context(), time.Now(), 10)
		require.NoError(t, err)
		require.Zero(t, n, "the mark has not expired")
	}
}
