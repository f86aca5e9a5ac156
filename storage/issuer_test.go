package storage_test

import (
	"context"
	"errors"
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

// stuck is a store whose n-th call of Revoke fails.
type stuck struct {
	storage.Records
	fails, calls int
}

func (s *stuck) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	s.calls++
	if s.calls == s.fails {
		return errors.New("store down")
	}

	return s.Records.Revoke(ctx, grantID, kinds...)
}

// A grant is revoked under the name that it was given and under its marked one. If either
// call fails, the revocation failed.
//
// Holds: house: store fails closed.
func TestForIssuer_RevokeFailsClosed(t *testing.T) {
	t.Parallel()
	for fails := 1; fails <= 2; fails++ {
		part := storage.ForIssuer(&stuck{Records: memstore.New(), fails: fails}, "https://a.example")
		require.Error(t, part.Revoke(t.Context(), "g"), fails)
	}
}

// A record that its issuer's store must not have is refused: one without a key, although
// the joined key would not be empty, and one of another issuer's grant.
//
// Holds: house: issuers apart.
func TestForIssuer_RefusesWhatItCannotHave(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	a := storage.ForIssuer(store, "https://a.example")
	b := storage.ForIssuer(store, "https://b.example")
	used := storage.Record{Kind: storage.Used, Key: "k", State: storage.Active, IssuedAt: time.Now()}
	require.NoError(t, a.Insert(t.Context(), used))
	granted := storage.Record{Kind: storage.Access, Key: storage.Key("x"), State: storage.Active, GrantID: "g", IssuedAt: time.Now()}
	require.NoError(t, b.Insert(t.Context(), granted))
	foreign, err := b.Get(t.Context(), storage.Access, granted.Key)
	require.NoError(t, err)
	keyless := used
	keyless.Key = ""
	other := foreign
	other.Key = storage.Key("y")

	require.Error(t, a.Insert(t.Context(), keyless))
	require.Error(t, a.Insert(t.Context(), other))
	require.Error(t, a.Advance(t.Context(), storage.Active, foreign))
	spent := used
	spent.State = storage.Spent
	require.Error(t, a.Advance(t.Context(), storage.Active, spent, other))
	require.Error(t, a.Advance(t.Context(), storage.Active, spent, keyless))
	rec, err := a.Get(t.Context(), storage.Used, "k")
	require.NoError(t, err)
	require.Equal(t, storage.Active, rec.State)
	require.NoError(t, a.Advance(t.Context(), storage.Active, spent))
}

// The part of an issuer can what its store can, and is made once.
//
// Holds: house: issuers apart.
func TestForIssuer_CanWhatItsStoreCan(t *testing.T) {
	t.Parallel()
	const a = "https://a.example"
	store := memstore.New()
	for name, c := range map[string]struct {
		inner         storage.Records
		lists, sweeps bool
	}{
		"all":  {store, true, true},
		"none": {struct{ storage.Records }{store}, false, false},
		"list": {struct {
			storage.Records
			storage.Lister
		}{store, store}, true, false},
		"sweep": {struct {
			storage.Records
			storage.Sweeper
		}{store, store}, false, true},
	} {
		part := storage.ForIssuer(c.inner, a)
		_, lists := part.(storage.Lister)
		_, sweeps := part.(storage.Sweeper)
		require.Equal(t, c.lists, lists, name)
		require.Equal(t, c.sweeps, sweeps, name)
		require.NoError(t, part.Insert(t.Context(), storage.Record{
			Kind: storage.Used, Key: name, State: storage.Active, IssuedAt: time.Now(),
		}), name)
		_, err := storage.ForIssuer(part, a).Get(t.Context(), storage.Used, name)
		require.NoError(t, err, "the issuer's part of its part is itself")
		_, err = storage.ForIssuer(part, "https://b.example").Get(t.Context(), storage.Used, name)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	require.Nil(t, storage.ForIssuer(nil, a))
	require.Equal(t, storage.Records(store), storage.ForIssuer(store, ""))
}

// A record without a grant, under a key that is joined with the issuer, is in no list: it
// may be another issuer's.
//
// Holds: house: issuers apart.
func TestForIssuer_ListsNothingWithoutAMark(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	a := storage.ForIssuer(store, "https://a.example")
	b := storage.ForIssuer(store, "https://b.example")
	require.NoError(t, a.Insert(t.Context(), storage.Record{
		Kind: storage.Pushed, Key: "k", State: storage.Active, ClientID: "app", IssuedAt: time.Now(),
	}))
	for _, part := range []storage.Records{a, b} {
		recs, _, err := part.(storage.Lister).List(t.Context(), storage.Query{ClientID: "app"})
		require.NoError(t, err)
		require.Empty(t, recs)
	}
}
