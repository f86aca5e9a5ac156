package memstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

func TestSmoke(t *testing.T) {
	s := New()
	ctx := context.Background()
	require.NoError(t, s.Insert(ctx, storage.Record{Kind: storage.Code, Key: storage.Key("a"), State: storage.Active, GrantID: "g", Scope: []string{"a", "b"}}))
	require.ErrorIs(t, s.Insert(ctx, storage.Record{Kind: storage.Code, Key: storage.Key("a"), State: storage.Active, GrantID: "g"}), storage.ErrExists)
	require.NoError(t, s.Advance(ctx, storage.Active, storage.Record{Kind: storage.Code, Key: storage.Key("a"), State: storage.Spent, GrantID: "g"}, storage.Record{Kind: storage.Access, Key: "odd", State: storage.Active, GrantID: "g"}))
	require.NoError(t, s.Revoke(ctx, "g"))
	r, err := s.Get(ctx, storage.Access, "odd")
	require.NoError(t, err)
	require.Equal(t, storage.Revoked, r.State)
	recs, next, err := s.List(ctx, storage.Query{GrantID: "g", Limit: 1})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	recs, next, err = s.List(ctx, storage.Query{After: next})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	require.Empty(t, next)
}
