package grantwell_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// faultyStore asks fail before each call, by the call's name, and answers with what it returns.
type faultyStore struct {
	storage.Records
	fail func(call string) error
}

func (f *faultyStore) ask(call string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(call)
}

func (f *faultyStore) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := f.ask("Insert"); err != nil {
		return err
	}
	return f.Records.Insert(ctx, recs...)
}

func (f *faultyStore) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := f.ask("Get"); err != nil {
		return storage.Record{}, err
	}
	return f.Records.Get(ctx, kind, key)
}

func (f *faultyStore) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := f.ask("Advance"); err != nil {
		return err
	}
	return f.Records.Advance(ctx, from, next, inserts...)
}

func (f *faultyStore) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := f.ask("Revoke"); err != nil {
		return err
	}
	return f.Records.Revoke(ctx, grantID, kinds...)
}

// cause is what a failing store says; none of it may reach a caller.
const cause = "pq: relation oauth_records of host 10.1.2.3"

// sweep is one flow whose store calls fail one by one.
type sweep struct {
	name   string
	config func(*grantwell.Config)
	// prepare runs with a store that works; the request that it returns is the one that meets the fault.
	prepare func(d *direct) (request func() reply, again func() reply)
}

// sweeps are the endpoints and grants.
var sweeps = []sweep{
	{"code", nil, func(d *direct) (func() reply, func() reply) {
		code := d.code("conf")
		return func() reply { return d.redeem("conf", code) }, nil
	}},
	{"code used before", nil, func(d *direct) (func() reply, func() reply) {
		code := d.code("conf")
		d.redeem("conf", code)
		return func() reply { return d.redeem("conf", code) }, nil
	}},
	{"code of another client", nil, func(d *direct) (func() reply, func() reply) {
		code := d.code("conf")
		return func() reply { return d.redeem("other", code) }, nil
	}},
	{"refresh", nil, func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		return func() reply { return d.refresh("conf", token) }, nil
	}},
	{"refresh that ends access tokens", withRefresh(grants.RefreshToken{EndAccess: true}), func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		return func() reply { return d.refresh("conf", token) }, nil
	}},
	{"refresh that is kept", withRefresh(grants.RefreshToken{Mode: grants.Preserve}), func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		return func() reply { return d.refresh("conf", token) }, nil
	}},
	{"refresh used before", nil, func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		d.refresh("conf", token)
		return func() reply { return d.refresh("conf", token) }, nil
	}},
	{"retry", withRefresh(grants.RefreshToken{RetryWindow: time.Minute}), func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		d.refresh("conf", token)
		return func() reply { return d.refresh("conf", token) }, nil
	}},
	{"client credentials", nil, func(d *direct) (func() reply, func() reply) {
		return func() reply { return d.post("/token", conf, "grant_type", "client_credentials") }, nil
	}},
	{"password", nil, func(d *direct) (func() reply, func() reply) {
		return func() reply {
			return d.post("/token", conf, "grant_type", "password", "username", "johndoe", "password", "A3ddj3w")
		}, nil
	}},
	{"authorize", nil, func(d *direct) (func() reply, func() reply) {
		return func() reply {
			return d.authorize("conf", "read", grantwell.Approval{Subject: "alice", Remember: true})
		}, nil
	}},
	{"implicit", nil, func(d *direct) (func() reply, func() reply) {
		return func() reply {
			return d.authorize("conf", "read", grantwell.Approval{Subject: "alice"}, "response_type", "token")
		}, nil
	}},
	{"revoke an access token", nil, func(d *direct) (func() reply, func() reply) {
		token, _ := d.family("conf")
		return func() reply { return d.revoke("conf", token) }, func() reply { return d.asked("conf", token) }
	}},
	{"revoke a refresh token", nil, func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		return func() reply { return d.revoke("conf", token) }, func() reply { return d.asked("conf", token) }
	}},
	{"introspect", nil, func(d *direct) (func() reply, func() reply) {
		token, _ := d.family("conf")
		return func() reply { return d.asked("conf", token) }, nil
	}},
	{"introspect a refresh token", nil, func(d *direct) (func() reply, func() reply) {
		_, token := d.family("conf")
		return func() reply { return d.asked("conf", token) }, nil
	}},
	{"token information", withTokenInfo(grantwell.TokenInfo{}), func(d *direct) (func() reply, func() reply) {
		token, _ := d.family("conf")
		return func() reply { return d.post("/tokeninfo", conf, "access_token", token) }, nil
	}},
}

// Whatever call to the store fails, blocks past the deadline or panics, at every endpoint: no success, no token, no word of the cause; nothing is
// half-written; and the process goes on.
// Holds S165, S188, R224, V86, I3, I7, I12, F3.
func TestFaults_EveryCallOfEveryEndpoint(t *testing.T) {
	t.Parallel()
	ways := map[string]func(ctx context.Context) error{
		"error":   func(context.Context) error { return errors.New(cause) },
		"blocked": func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("%s: %w", cause, ctx.Err()) },
		"panic":   func(context.Context) error { panic(cause) },
	}
	for _, flow := range sweeps {
		for way, fault := range ways {
			t.Run(flow.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				calls := 1
				for n := 1; n <= calls; n++ {
					synctest.Test(t, func(t *testing.T) { calls = runFault(t, flow, fault, n) })
				}
				require.Greater(t, calls, 1, "the flow was never counted")
			})
		}
	}
}

// runFault lets the n-th call fail and returns how many calls the flow makes when none does.
func runFault(t *testing.T, flow sweep, fault func(context.Context) error, n int) int {
	store := &blockingStore{}
	d := newDirect(t, func(cfg *grantwell.Config) {
		if flow.config != nil {
			flow.config(cfg)
		}
		cfg.SubjectActive = func(context.Context, string) (bool, error) { return true, nil }
		store.Records, store.clients = cfg.Records, cfg.Clients
		cfg.Records, cfg.Clients = store, store
	})
	request, afterwards := flow.prepare(d)
	before := snapshot(d)
	store.arm(n, fault)
	res := request()
	total := store.disarm()
	if n > total { // the last round: nothing failed
		return total
	}
	require.NotEqual(t, 200, res.status, "call %d: %s", n, res.body)
	all := res.body + fmt.Sprint(res.header)
	for _, secret := range []string{"relation", "10.1.2.3", "pq:", "access_token", "refresh_token=", "code="} {
		require.NotContains(t, all, secret, "call %d", n)
	}
	if location := res.header.Get("Location"); location != "" {
		require.Contains(t, []string{"server_error", "temporarily_unavailable"}, res.answered("error"))
	} else {
		require.GreaterOrEqual(t, res.status, 500, "call %d: %s", n, res.body)
	}
	require.Equal(t, before[storage.Access], snapshot(d)[storage.Access], "no access token was added")
	require.Equal(t, before[storage.Refresh], snapshot(d)[storage.Refresh], "no refresh token either")
	if afterwards != nil {
		require.Equal(t, true, afterwards().json["active"], "a revocation that failed left the token as it was")
	}
	again := request()
	require.NotContains(t, again.body, "unavailable", "the process goes on")
	require.NotEqual(t, 500, again.status)
	if afterwards != nil {
		require.Equal(t, 200, again.status)
		require.Equal(t, false, afterwards().json["active"])
	}
	return n + 1
}

// snapshot counts the records by kind.
func snapshot(d *direct) map[storage.Kind]int {
	m := map[storage.Kind]int{}
	for _, r := range d.records(storage.Query{}) {
		m[r.Kind]++
	}
	return m
}

// blockingStore lets one call, counted from when it is armed, go wrong before it reaches the store.
type blockingStore struct {
	storage.Records
	clients storage.Clients
	armed   bool
	n, at   int
	fault   func(context.Context) error
}

func (b *blockingStore) arm(at int, fault func(context.Context) error) {
	b.armed, b.n, b.at, b.fault = true, 0, at, fault
}

func (b *blockingStore) disarm() int { b.armed = false; return b.n }

func (b *blockingStore) count(ctx context.Context) error {
	if !b.armed {
		return nil
	}
	if b.n++; b.n == b.at {
		return b.fault(ctx)
	}
	return nil
}

func (b *blockingStore) Client(ctx context.Context, id string) (storage.Client, error) {
	if err := b.count(ctx); err != nil {
		return storage.Client{}, err
	}
	return b.clients.Client(ctx, id)
}

func (b *blockingStore) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := b.count(ctx); err != nil {
		return err
	}
	return b.Records.Insert(ctx, recs...)
}

func (b *blockingStore) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := b.count(ctx); err != nil {
		return storage.Record{}, err
	}
	return b.Records.Get(ctx, kind, key)
}

func (b *blockingStore) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := b.count(ctx); err != nil {
		return err
	}
	return b.Records.Advance(ctx, from, next, inserts...)
}

func (b *blockingStore) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := b.count(ctx); err != nil {
		return err
	}
	return b.Records.Revoke(ctx, grantID, kinds...)
}
