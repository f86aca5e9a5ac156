//go:build linux

package livetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage/redisstore"
)

// redisServer is a private Redis on a Unix socket.
type redisServer struct {
	owner   *syscall.Credential
	dir     string
	socket  string
	command []string

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
	output  bytes.Buffer
}

// quiet drops what the client logs about a server that is down, which the tests make so.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(quiet{}) }

// durable are the settings that the store asks for.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}

// startRedis starts a server with these settings and stops it when the test ends.
func startRedis(t testing.TB, settings ...string) *redisServer {
	t.Helper()
	binary := program(t, "redis-server", "redis-server", "/usr/bin", "/usr/local/bin")
	owner := unprivileged(t, "redis")
	s := &redisServer{owner: owner, dir: ownDir(t, owner)}
	s.socket = filepath.Join(s.dir, "redis.sock")
	s.command = append([]string{binary, "--port", "0", "--unixsocket", s.socket, "--dir", s.dir, "--daemonize", "no"}, settings...)
	t.Cleanup(s.remove)
	require.NoError(t, s.start())
	return s
}

// start starts the server and waits until it answers.
func (s *redisServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output.Reset()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, MaxRetries: -1})
	defer client.Close()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("Redis ended at its start: %s", s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("Redis does not answer: %w", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the process without a chance to write anything.
func (s *redisServer) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.exited
	s.process = nil
}

func (s *redisServer) remove() {
	s.kill()
	_ = os.RemoveAll(s.dir)
}

// client connects as the package's documentation says.
func (s *redisServer) client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, ContextTimeoutEnabled: true, PoolSize: 32})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func evalOf(client redis.UniversalClient) redisstore.Eval {
	return func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
		return redis.NewScript(script).Run(ctx, client, keys, args...).Result()
	}
}

func settingsOf(t testing.TB, client *redis.Client) map[string]string {
	t.Helper()
	settings := map[string]string{}
	for _, name := range redisstore.Settings() {
		found, err := client.ConfigGet(t.Context(), name).Result()
		require.NoError(t, err)
		maps.Copy(settings, found)
	}
	return settings
}

// redisStore opens a store; stores of one prefix share what they hold.
func redisStore(t testing.TB, client *redis.Client, prefix string) *redisstore.Store {
	t.Helper()
	store, err := redisstore.New(evalOf(client), prefix, settingsOf(t, client))
	require.NoError(t, err)
	return store
}
