package storage_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// The part of one issuer keeps the contract of a store.
func TestForIssuer_IsARecords(t *testing.T) {
	t.Parallel()
	storagetest.RunWith(t, storagetest.Options{Attempts: 20}, func(*testing.T) storage.Records {
		return unmarked{storage.ForIssuer(memstore.New(), "https://a.example")}
	})
}

// unmarked takes the mark off the grants that the kit compares. It does not list: the
// kit lists records without a grant, which a part leaves out.
type unmarked struct{ storage.Records }

func (u unmarked) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	rec, err := u.Records.Get(ctx, kind, key)
	rec.GrantID, _, _ = strings.Cut(rec.GrantID, "~")

	return rec, err
}

// Every kind that the package declares is kept apart: its keys are joined with the
// issuer, or its grants are marked.
func TestForIssuer_SeparatesEveryKind(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "storage.go", nil, 0)
	require.NoError(t, err)
	var kinds []storage.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, _ := spec.Type.(*ast.Ident); id != nil && id.Name == "Kind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			kinds = append(kinds, storage.Kind(text))
		}
		return true
	})
	require.GreaterOrEqual(t, len(kinds), 9)

	for _, kind := range kinds {
		store := memstore.New()
		a := storage.ForIssuer(store, "https://a.example")
		b := storage.ForIssuer(store, "https://b.example")
		rec := storage.Record{Kind: kind, Key: storage.Key("x"), State: storage.Active, IssuedAt: time.Now()}
		granted := kind == storage.Code || kind == storage.Access || kind == storage.Refresh
		if granted {
			rec.GrantID = "g"
		}
		require.NoError(t, a.Insert(t.Context(), rec), kind)
		_, err = b.Get(t.Context(), kind, rec.Key)
		require.ErrorIs(t, err, storage.ErrNotFound, kind)
		if !granted {
			require.NoError(t, b.Insert(t.Context(), rec), kind)
		}
		got, err := a.Get(t.Context(), kind, rec.Key)
		require.NoError(t, err)
		require.Equal(t, rec.Key, got.Key)
	}
}

// One issuer can neither list nor revoke the grants of another one.
func TestForIssuer_ListsAndRevokesItsOwn(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	a := storage.ForIssuer(store, "https://a.example")
	b := storage.ForIssuer(store, "https://b.example")
	require.NoError(t, a.Insert(t.Context(), storage.Record{
		Kind:    storage.Access,
		Key:     storage.Key("x"),
		State:   storage.Active,
		GrantID: "g",
		Subject: "alice",
	}))
	rec, err := a.Get(t.Context(), storage.Access, storage.Key("x"))
	require.NoError(t, err)

	list := func(s storage.Records, q storage.Query) int {
		recs, _, err := s.(storage.Lister).List(t.Context(), q)
		require.NoError(t, err)
		return len(recs)
	}
	require.Equal(t, 1, list(a, storage.Query{Subject: "alice"}))
	require.Zero(t, list(b, storage.Query{Subject: "alice"}))
	require.Zero(t, list(b, storage.Query{GrantID: rec.GrantID}))

	require.NoError(t, b.Revoke(t.Context(), rec.GrantID))
	require.NoError(t, b.Revoke(t.Context(), "g"))
	rec, err = a.Get(t.Context(), storage.Access, storage.Key("x"))
	require.NoError(t, err)
	require.Equal(t, storage.Active, rec.State)
	require.NoError(t, a.Revoke(t.Context(), "g"), "by the name that the host gave it")
	rec, err = a.Get(t.Context(), storage.Access, storage.Key("x"))
	require.NoError(t, err)
	require.Equal(t, storage.Revoked, rec.State)

	require.Error(t, b.Insert(t.Context(), storage.Record{
		Kind: storage.Refresh, Key: "y", State: storage.Active, GrantID: rec.GrantID,
	}), "nothing joins another issuer's grant")
	require.Equal(t, a, storage.ForIssuer(a, "https://a.example"))
}
