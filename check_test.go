package grantwell_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// brokenKeys are keys that cannot sign.
type brokenKeys struct {
	tokens.Keys
	err error
}

// Signing implements [tokens.Keys].
func (k brokenKeys) Signing(context.Context) (tokens.Key, error) {
	return tokens.Key{}, k.err
}

// checked is a store with a check of its own.
type checked struct {
	storage.Records
	storage.Clients
	err error
}

// Check is asked by [grantwell.Server.Check].
func (c checked) Check(context.Context) error { return c.err }

// A server whose parts answer is ready, with and without keys. A check leaves nothing
// behind.
func TestCheck_Ready(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*grantwell.Config){
		"opaque": nil,
		"signed": func(cfg *grantwell.Config) { cfg.Keys = servertest.Keys(t) },
		"own check": func(cfg *grantwell.Config) {
			cfg.Records = checked{Records: cfg.Records}
			cfg.Clients = checked{Clients: cfg.Clients}
		},
	} {
		s := servertest.New(t, change)
		require.NoError(t, s.AS.Check(t.Context()), name)
		require.Empty(t, s.Records(storage.Query{}), name)
		require.Empty(t, s.Events(), name)
	}
}

// Each part that fails is named by its field, and all of them are reported at once.
func TestCheck_NamesEachPartThatFails(t *testing.T) {
	t.Parallel()
	down := errors.New(servertest.StoreFault)
	sealed := errors.New("the key is sealed")
	full := errors.New("the disk is full")
	var hooked *servertest.Hooked
	for name, c := range map[string]struct {
		change func(*grantwell.Config)
		fails  string
		want   map[string]error
	}{
		"records": {func(cfg *grantwell.Config) { hooked = servertest.Hook(cfg) }, "Get", map[string]error{"Config.Records": down}},
		"clients": {func(cfg *grantwell.Config) { hooked = servertest.Hook(cfg) }, "Client", map[string]error{"Config.Clients": down}},
		"keys": {func(cfg *grantwell.Config) {
			cfg.Keys = brokenKeys{servertest.Keys(t), sealed}
			cfg.AccessTokenFormat = "jwt"
			hooked = servertest.Hook(cfg)
		}, "none", map[string]error{"Config.Keys": sealed}},
		"own check": {func(cfg *grantwell.Config) {
			hooked = servertest.Hook(cfg)
			cfg.Records = checked{Records: cfg.Records, err: full}
		}, "none", map[string]error{"Config.Records": full}},
		"all": {func(cfg *grantwell.Config) {
			cfg.Keys = brokenKeys{servertest.Keys(t), sealed}
			hooked = servertest.Hook(cfg)
			cfg.Clients = checked{Clients: cfg.Clients, err: full}
		}, "Get", map[string]error{"Config.Records": down, "Config.Clients": full, "Config.Keys": sealed}},
	} {
		s := servertest.New(t, c.change)
		hooked.Fail(down, c.fails)
		err := s.AS.Check(t.Context())
		for field, cause := range c.want {
			require.ErrorIs(t, err, cause, name)
			require.ErrorContains(t, err, "grantwell: "+field, name)
		}
		for _, field := range []string{"Config.Records", "Config.Clients", "Config.Keys"} {
			if c.want[field] == nil {
				require.NotContains(t, err.Error(), field, name)
			}
		}
	}
}

// A store that hangs does not hang the probe.
func TestCheck_HasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store := servertest.NewHooked(t, nil)
		store.Before(func(ctx context.Context, _ servertest.Call) error {
			<-ctx.Done()
			return ctx.Err()
		})
		begin := time.Now()
		require.ErrorIs(t, s.AS.Check(t.Context()), context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(begin))
	})
}
