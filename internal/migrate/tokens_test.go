package migrate_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/migrate"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// form is that of a server which stored its tokens in hex.
type form struct{ invalid error }

// Digest implements tokens.Imported.
func (form) Digest(token string) ([]byte, bool) { return []byte(token), true }

// Stored implements tokens.Imported.
func (form) Stored(text string) ([]byte, error) { return hex.DecodeString(text) }

func (f form) Validate() error { return f.invalid }

// in returns a time from now, as an export has it.
func in(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }

// key returns the key of an imported token's record.
func key(token string) string { return storage.ImportedKey([]byte(token)) }

// token returns a token of an export.
func token(name string, left time.Duration) string {
	return fmt.Sprintf(`{"stored":%q,"expires_at":%q}`, hex.EncodeToString([]byte(name)), in(left))
}

// none reserves no claim.
func none(string) bool { return false }

// run imports lines.
func run(t *testing.T, records storage.Records, lines ...string) (migrate.Result, error) {
	t.Helper()
	return migrate.Tokens(t.Context(), records, form{}, none, strings.NewReader(strings.Join(lines, "\n")))
}

// grant returns a line with these members besides those that every grant has.
func grant(id, members string) string {
	return fmt.Sprintf(`{"grant":%q,"client_id":"app","subject":"alice","scope":"read write","audience":["https://api.example"],"issued_at":%q,%s}`,
		id, in(-time.Minute), members)
}

// A record has what its token alone has, and what the grant has where the token says
// nothing else.
func TestTokens_RecordsAreThoseOfTheGrant(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	end := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	narrow := strings.Replace(token("access", time.Hour), "{", `{"scope":"read",`, 1)
	res, err := run(t, store, grant("1", fmt.Sprintf(`"auth_time":"2026-01-02T03:04:05+01:00","family_end":%q,"claims":{"dept":"HR"},"access":[%s],"refresh":[%s]`,
		end.Format(time.RFC3339), narrow, token("refresh", time.Hour))))
	require.NoError(t, err)
	require.Equal(t, migrate.Result{Grants: 1, Tokens: 2}, res)

	access, err := store.Get(t.Context(), storage.Access, key("access"))
	require.NoError(t, err)
	refresh, err := store.Get(t.Context(), storage.Refresh, key("refresh"))
	require.NoError(t, err)
	mark, err := store.Get(t.Context(), storage.Used, storage.JoinKey("imported grant", "1"))
	require.NoError(t, err)
	require.Equal(t, end, mark.ExpiresAt, "the grant is known as long as its family may live")
	require.Equal(t, []string{"read"}, access.Scope)
	require.Equal(t, []string{"read", "write"}, refresh.Scope)
	require.Equal(t, access.GrantID, refresh.GrantID, "a revocation ends both")
	for _, rec := range []storage.Record{access, refresh} {
		require.Equal(t, "app alice", rec.ClientID+" "+rec.Subject)
		require.Equal(t, []string{"https://api.example"}, rec.Audience)
		require.Equal(t, storage.Active, rec.State)
		d, err := record.Decode(rec)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"dept": "HR"}, d.Claims)
		require.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), record.Time(d.AuthTime).UTC())
		familyEnd := int64(0)
		if rec.Kind == storage.Refresh {
			familyEnd = end.Unix()
		}
		require.Equal(t, familyEnd, d.FamilyEnd, "only a refresh token carries it on")
	}
}

// What has expired is not stored, and a grant of which all has expired is counted. A
// spent refresh token stays as long as anything of its grant lives, so that its second
// use is found.
func TestTokens_KeepsWhatIsAliveOrSpent(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	spent := strings.Replace(token("spent", -time.Hour), "{", `{"spent":true,`, 1)
	res, err := run(t, store,
		grant("1", `"access":[`+token("over", -time.Second)+`,`+token("alive", time.Hour)+`],"refresh":[`+spent+`]`),
		"",
		" \t\r",
		grant("2", `"access":[`+token("over2", -time.Hour)+`]`),
		grant("3", `"family_end":"`+in(time.Hour)+`","access":[`+token("over3", -time.Hour)+`]`),
		grant("4", `"family_end":"`+in(-time.Hour)+`"`),
	)
	require.NoError(t, err)
	require.Equal(t, migrate.Result{Grants: 1, Tokens: 2, Expired: 3}, res)

	for _, name := range []string{"over", "over2", "over3"} {
		_, err = store.Get(t.Context(), storage.Access, key(name))
		require.ErrorIs(t, err, storage.ErrNotFound, name)
	}
	alive, err := store.Get(t.Context(), storage.Access, key("alive"))
	require.NoError(t, err)
	rec, err := store.Get(t.Context(), storage.Refresh, key("spent"))
	require.NoError(t, err)
	require.Equal(t, storage.Spent, rec.State)
	require.Equal(t, alive.ExpiresAt, rec.ExpiresAt)
}

// writes counts the writes and fails from one of them on.
type writes struct {
	storage.Records
	inserts  [][]storage.Record
	failFrom int
}

func (w *writes) Insert(ctx context.Context, recs ...storage.Record) error {
	w.inserts = append(w.inserts, slices.Clone(recs))
	if w.failFrom > 0 && len(w.inserts) >= w.failFrom {
		return errors.New("disk full")
	}

	return w.Records.Insert(ctx, recs...)
}

// Each grant is one write, so that another run can go on where this one ended. The
// error names the line, and the result counts the lines before it.
func TestTokens_AGrantIsOneWrite(t *testing.T) {
	t.Parallel()
	export := []string{
		grant("1", `"access":[`+token("a1", time.Hour)+`],"refresh":[`+token("r1", time.Hour)+`]`),
		grant("2", `"access":[`+token("a2", time.Hour)+`]`),
		grant("3", `"access":[`+token("a3", time.Hour)+`]`),
	}
	w := &writes{Records: memstore.New(), failFrom: 2}
	res, err := run(t, w, export...)
	require.ErrorContains(t, err, "line 2: disk full")
	require.Equal(t, migrate.Result{Grants: 1, Tokens: 2}, res)
	require.Len(t, w.inserts, 2)
	require.Len(t, w.inserts[0], 3, "the mark and both tokens")

	w.failFrom = 0
	res, err = run(t, w, export...)
	require.NoError(t, err)
	require.Equal(t, migrate.Result{Grants: 2, Tokens: 2, Known: 1}, res)
}

// A grant that differs from what was imported under its name is counted and left
// alone: its tokens may have been refreshed or revoked since.
func TestTokens_AChangedGrantIsLeftAlone(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	_, err := run(t, store, grant("1", `"access":[`+token("a", time.Hour)+`]`))
	require.NoError(t, err)
	res, err := run(t, store, grant("1", `"access":[`+token("a", time.Hour)+`,`+token("b", time.Hour)+`]`))
	require.NoError(t, err)
	require.Equal(t, migrate.Result{Changed: 1}, res)
	_, err = store.Get(t.Context(), storage.Access, key("b"))
	require.ErrorIs(t, err, storage.ErrNotFound)
}

// No claim that the server sets comes in by an import, and nothing is read by a form
// that is not valid.
func TestTokens_ChecksBeforeItReads(t *testing.T) {
	t.Parallel()
	reserved := func(claim string) bool { return claim == "sub" }
	_, err := migrate.Tokens(t.Context(), memstore.New(), form{}, reserved,
		strings.NewReader(grant("1", `"claims":{"sub":"root"},"access":[`+token("a", time.Hour)+`]`)))
	require.ErrorContains(t, err, `line 1: claims: "sub"`)

	invalid := errors.New("the form is not valid")
	_, err = migrate.Tokens(t.Context(), nil, form{invalid}, none, nil)
	require.ErrorIs(t, err, invalid)
}
