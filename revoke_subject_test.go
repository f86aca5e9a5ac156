package grantwell_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// All that a user has ends at once: the tokens of every client, codes and consents.
// Other users keep theirs.
func TestRevokeSubject_EndsAllOfOneUser(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, nil)
	access, refresh := d.Family("conf")
	otherAccess, _ := d.Family("other")
	code := d.Code("conf")
	kept := d.Authorize(grantwell.Approval{Subject: "bob"}).Param("code")
	d.Authorize(grantwell.Approval{Subject: "alice", Remember: true})
	scopes, err := d.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.NotEmpty(t, scopes)

	require.NoError(t, d.AS.RevokeSubject(t.Context(), "alice"))
	require.False(t, d.Valid(access))
	require.False(t, d.Valid(otherAccess))
	require.NotEqual(t, 200, d.Refresh("conf", refresh).Status)
	require.NotEqual(t, 200, d.Redeem("conf", code).Status)
	scopes, err = d.AS.ConsentedScopes(t.Context(), "conf", "alice")
	require.NoError(t, err)
	require.Empty(t, scopes)
	require.Equal(t, 200, d.Redeem("conf", kept).Status)
	require.NoError(t, d.AS.RevokeSubject(t.Context(), "alice"), "nothing left is no error")
	require.Error(t, d.AS.RevokeSubject(t.Context(), ""))
}

// unlistable is a store that cannot be looked through.
type unlistable struct{ storage.Records }

// A store that cannot list is an error, and so is one that fails: the caller must not
// believe that all is ended.
func TestRevokeSubject_FailureIsAnError(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) { cfg.Records = unlistable{memstore.New()} })
	require.ErrorContains(t, d.AS.RevokeSubject(t.Context(), "alice"), "storage.Lister")

	store := &failing{Store: memstore.New()}
	servertest.Register(t, store, servertest.Clients()...)
	f := servertest.On(t, store, func(cfg *grantwell.Config) { cfg.Records = store })
	f.Family("conf")
	store.fails = true
	require.ErrorContains(t, f.AS.RevokeSubject(t.Context(), "alice"), "db7 is down")
}

// failing is a store whose revocations fail.
type failing struct {
	*memstore.Store
	fails bool
}

func (f *failing) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if f.fails {
		return errors.New("db7 is down")
	}
	return f.Store.Revoke(ctx, grantID, kinds...)
}

// TokensNotBefore ends everything that was issued before it, for a store that was
// restored from a backup. What is issued afterwards works.
func TestTokensNotBefore_EndsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := servertest.New(t, servertest.WithRefresh(grants.RefreshToken{}))
		access, refresh := old.Family("conf")
		code := old.Code("conf")
		_, spent := old.Family("conf")
		retried := old.Refresh("conf", spent)
		require.Equal(t, 200, retried.Status)

		time.Sleep(time.Second)
		restored := servertest.On(t, old.Store, func(cfg *grantwell.Config) {
			cfg.TokensNotBefore = time.Now()
			servertest.WithRefresh(grants.RefreshToken{})(cfg)
		})
		require.False(t, restored.Valid(access))
		require.NotEqual(t, 200, restored.Refresh("conf", refresh).Status)
		require.NotEqual(t, 200, restored.Refresh("conf", spent).Status)
		require.NotEqual(t, 200, restored.Redeem("conf", code).Status)

		fresh, again := restored.Family("conf")
		require.True(t, restored.Valid(fresh))
		require.Equal(t, 200, restored.Refresh("conf", again).Status)
	})
}

// pages is a store whose pages have two records, and which counts revocations. It lists what
// a careless store might: records without a grant, and those of other users.
type pages struct {
	*memstore.Store
	revoked []string
	fails   bool
}

func (p *pages) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	if p.fails {
		return nil, "", errors.New("db7 is down")
	}
	if q.Subject == "" {
		return nil, "", errors.New("a list of all users")
	}
	q.Limit = 2
	recs, next, err := p.Store.List(ctx, q)
	return append(recs, storage.Record{Kind: storage.Used, Subject: q.Subject}, storage.Record{
		Kind: storage.Access, Subject: "bob", GrantID: "of bob",
	}), next, err
}

func (p *pages) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	p.revoked = append(p.revoked, grantID)
	return p.Store.Revoke(ctx, grantID, kinds...)
}

// All pages of a user's records are looked through, each grant is revoked once, and nothing
// of another user is. A list that fails is an error.
//
// Holds: house: withdrawn grant; house: store fails closed.
func TestRevokeSubject_LooksThroughAllPages(t *testing.T) {
	t.Parallel()
	store := &pages{Store: memstore.New()}
	servertest.Register(t, store, servertest.Clients()...)
	d := servertest.On(t, store, func(cfg *grantwell.Config) { cfg.Records = store })
	var all []string
	for range 5 {
		access, _ := d.Family("conf")
		all = append(all, access)
	}
	store.revoked = nil
	require.NoError(t, d.AS.RevokeSubject(t.Context(), "alice"))
	require.Len(t, store.revoked, len(all))
	require.NotContains(t, store.revoked, "")
	require.NotContains(t, store.revoked, "of bob")
	for _, access := range all {
		require.False(t, d.Valid(access))
	}
	store.fails = true
	require.ErrorContains(t, d.AS.RevokeSubject(t.Context(), "alice"), "db7 is down")
}
