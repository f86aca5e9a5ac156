package grantwell_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The parameters of a query are bounded, inclusive: a client ID of 255 bytes, a subject
// of 1024 and a cursor of 1024.
//
// Holds: house: admin behind the host; house: bounded parameters.
func TestAdmin_QueryIsBounded(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	text := func(n int) string { return strings.Repeat("x", n) }
	for _, path := range []string{"/grants", "/consents"} {
		for name, most := range map[string]int{"client_id": 255, "subject": 1024} {
			require.Equal(t, 200, o.Admin("GET", path+"?"+name+"="+text(most), "").Status, name)
			o.Admin("GET", path+"?"+name+"="+text(most+1), "").Fails(t, 400, "invalid_request")
		}
		res := o.Admin("GET", path+"?subject=alice&after="+text(1025), "")
		res.Fails(t, 400, "invalid_request")
		require.Contains(t, res.String("error_description"), "too long")
	}
}

// The handler that ends all grants of a user leaves other records and ended families as
// they are, and answers with the number of families that it ended.
//
// Holds: house: deleted authorization; house: admin behind the host.
func TestAdmin_EndsGrantsAndNothingElse(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	o.Approval.Remember = true
	access, refresh := o.Family("conf")
	o.Refresh("conf", refresh)
	spent, _ := o.Family("conf")
	require.Equal(t, 200, o.Revoke("conf", spent).Status)
	o.Code("conf")
	ended, endedRefresh := o.Family("other")
	require.Equal(t, 200, o.Revoke("other", endedRefresh).Status)
	require.False(t, o.Valid(ended))
	// A record of the user that is no grant.
	require.NoError(t, o.Store.Insert(t.Context(), storage.Record{
		Kind: "note", Key: storage.Key("note"), State: storage.Active, Subject: "alice", GrantID: "notes",
	}))
	require.NoError(t, o.Store.Insert(t.Context(), storage.Record{
		Kind: storage.Access, Key: storage.Key("no grant"), State: storage.Active, Subject: "alice",
	}))

	res := o.Admin("DELETE", "/grants?subject=alice&limit=1000", "")
	require.Equal(t, 200, res.Status, res.Body)
	require.EqualValues(t, 3, res.JSON["revoked"], "two families with tokens, one with a code")
	require.False(t, o.Valid(access))
	require.Zero(t, o.ActiveOf(storage.Refresh))
	require.Zero(t, o.ActiveOf(storage.Code))
	require.Equal(t, 2, o.ActiveOf(storage.Consent), "a consent is not a grant")
	require.Equal(t, 1, o.ActiveOf("note"))
	require.EqualValues(t, 0, o.Admin("DELETE", "/grants?subject=alice&limit=1000", "").JSON["revoked"])
}

// A list has what is live: no token that was spent or revoked.
//
// Holds: house: listed consents.
func TestAdmin_ListsWhatIsLive(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	_, refresh := o.Family("conf")
	require.Equal(t, 200, o.Refresh("conf", refresh).Status)
	_, revoked := o.Family("conf")
	require.Equal(t, 200, o.Revoke("conf", revoked).Status)
	require.Len(t, o.Admin("GET", "/grants?subject=alice", "").List(t, "grants"), 1)
	require.Len(t, o.Admin("GET", "/grants?subject=alice&kind=access", "").List(t, "grants"), 2)
	require.Empty(t, o.Admin("GET", "/grants?subject=alice&kind=code", "").List(t, "grants"))
	for _, kind := range []string{"consent", "note", "used"} {
		o.Admin("GET", "/grants?subject=alice&kind="+kind, "").Fails(t, 400, "invalid_request")
	}
}

// listing is a store whose lists fail.
type listing struct {
	servertest.Store
	storage.Lister
	fails func(q storage.Query) error
}

// List implements storage.Lister.
func (l listing) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	if err := l.fails(q); err != nil {
		return nil, "", err
	}
	return l.Lister.List(ctx, q)
}

// A cursor that the store did not make is the caller's fault, and a store that fails is
// 503, with a cursor too.
//
// Holds: house: store fails closed.
func TestAdmin_CursorOrOutage(t *testing.T) {
	t.Parallel()
	var fails func(q storage.Query) error
	o := servertest.NewAdmin(t, func(cfg *grantwell.Config) {
		store, ok := cfg.Records.(interface {
			servertest.Store
			storage.Lister
		})
		require.True(t, ok)
		cfg.Records = listing{store, store, func(q storage.Query) error { return fails(q) }}
	})
	o.Family("conf")
	o.Family("conf")
	fails = func(storage.Query) error { return nil }
	next := o.Admin("GET", "/grants?subject=alice&limit=1", "").String("next")
	require.NotEmpty(t, next)
	more := "/grants?subject=alice&after=" + url.QueryEscape(next)
	require.Equal(t, 200, o.Admin("GET", more, "").Status)
	o.Admin("GET", "/grants?subject=alice&after=x", "").Fails(t, 400, "invalid_request")

	fails = func(storage.Query) error { return errors.New(servertest.StoreFault) }
	o.Admin("GET", more, "").Fails(t, 503, "temporarily_unavailable")
	o.Admin("GET", "/grants?subject=alice&after=x", "").Fails(t, 503, "temporarily_unavailable")
	require.Equal(t, grants.ReasonUnavailable, o.LastEvent().Reason)
}

// plainRegistrar is a registry that cannot compare, and asks the test before calls.
type plainRegistrar struct {
	all    storage.Registrar
	before func(ctx context.Context, name string) error
}

// Client implements storage.Clients.
func (p plainRegistrar) Client(ctx context.Context, id string) (storage.Client, error) {
	if err := p.before(ctx, "Client"); err != nil {
		return storage.Client{}, err
	}
	return p.all.Client(ctx, id)
}

// PutClient implements storage.Registrar.
func (p plainRegistrar) PutClient(ctx context.Context, c storage.Client) error {
	if err := p.before(ctx, "PutClient"); err != nil {
		return err
	}
	return p.all.PutClient(ctx, c)
}

// DeleteClient implements storage.Registrar.
func (p plainRegistrar) DeleteClient(ctx context.Context, id string) error {
	return p.all.DeleteClient(ctx, id)
}

// ListClients implements storage.Registrar.
func (p plainRegistrar) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	return p.all.ListClients(ctx, after, limit)
}

// newPlain builds a server with its administration over a registry that cannot compare.
func newPlain(t *testing.T, before func(ctx context.Context, name string) error) *servertest.Admin {
	t.Helper()
	return servertest.NewAdmin(t, func(cfg *grantwell.Config) {
		all, ok := cfg.Clients.(storage.Registrar)
		require.True(t, ok)
		cfg.Clients = plainRegistrar{all, before}
	})
}

const newClient = `{"client_id":"new","redirect_uris":["https://new.example/"]}`

// A registry that cannot compare is asked first whether the ID is free. If it cannot
// say, no client is written: it may be another one's.
//
// Holds: house: store fails closed; house: admin behind the host.
func TestAdmin_RegistryThatCannotCompare(t *testing.T) {
	t.Parallel()
	down := false
	o := newPlain(t, func(_ context.Context, name string) error {
		if down && name == "Client" {
			return errors.New(servertest.StoreFault)
		}
		return nil
	})
	down = true
	o.Admin("POST", "/clients", newClient).Fails(t, 503, "temporarily_unavailable")
	_, err := o.Store.Client(t.Context(), "new")
	require.ErrorIs(t, err, storage.ErrNotFound)
	down = false
	require.Equal(t, 201, o.Admin("POST", "/clients", newClient).Status)
	o.Admin("POST", "/clients", newClient).Fails(t, 409, "conflict")
}

// Changes of clients wait for each other, no longer than a request may take. One that
// waited in vain is 503 and changes nothing.
//
// Holds: house: bounded work; house: one stuck store.
func TestAdmin_ChangeWaitsForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var once sync.Once
		o := newPlain(t, func(_ context.Context, name string) error {
			if name == "PutClient" {
				once.Do(func() { <-hold })
			}
			return nil
		})
		var first servertest.Reply
		var wg sync.WaitGroup
		wg.Go(func() { first = o.Admin("POST", "/clients/conf/disable", "") })
		time.Sleep(time.Second)
		start := time.Now()
		o.Admin("POST", "/clients", newClient).Fails(t, 503, "temporarily_unavailable")
		require.Equal(t, 2*time.Second, time.Since(start))
		close(hold)
		wg.Wait()
		first.Fails(t, 503, "temporarily_unavailable") // its own time was over
		require.Equal(t, 201, o.Admin("POST", "/clients", newClient).Status)
	})
}

// What has expired and is not yet swept is not listed, and not counted as ended.
//
// Holds: house: expiry at use; house: listed consents.
func TestAdmin_ListsNothingExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := servertest.NewAdmin(t, nil)
		o.Family("conf")
		o.Code("conf")
		require.Len(t, o.Admin("GET", "/grants?subject=alice&kind=code", "").List(t, "grants"), 1)
		time.Sleep(time.Hour)
		require.Empty(t, o.Admin("GET", "/grants?subject=alice&kind=code", "").List(t, "grants"))
		require.Empty(t, o.Admin("GET", "/grants?subject=alice&kind=access", "").List(t, "grants"))
		require.Len(t, o.Admin("GET", "/grants?subject=alice", "").List(t, "grants"), 1)
	})
}
