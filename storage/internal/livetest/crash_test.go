//go:build linux

package livetest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// crashing kills its own process at the n-th call of the store: before the call
// if n is odd, after it if n is even.
type crashing struct {
	*sqlstore.Store
	left int
}

func (c *crashing) at() {
	if c.left--; c.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (c *crashing) Insert(ctx context.Context, recs ...storage.Record) error {
	c.at()
	defer c.at()
	return c.Store.Insert(ctx, recs...)
}

func (c *crashing) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	c.at()
	defer c.at()
	return c.Store.Get(ctx, kind, key)
}

func (c *crashing) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	c.at()
	defer c.at()
	return c.Store.Advance(ctx, from, next, inserts...)
}

func (c *crashing) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	c.at()
	defer c.at()
	return c.Store.Revoke(ctx, grantID, kinds...)
}

// A server that dies before or after a call of its store has done each request
// completely or not at all. A client that tries again gets a result or a
// refusal, and never a second result.
//
// Holds R170, I1, I3, I5, I8, F2.
func TestCrash_BetweenAnyTwoCalls(t *testing.T) {
	if file := os.Getenv("GRANTWELL_LIVETEST_CRASH_FILE"); file != "" {
		printFlow(t, file)
		return
	}
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	n, retried := 1, map[int]int{}
	for ; ; n++ {
		file := filepath.Join(t.TempDir(), "grantwell.db")
		cmd := exec.Command(self, "-test.run=^TestCrash_BetweenAnyTwoCalls$", "-test.v")
		cmd.Env = append(os.Environ(), "GRANTWELL_LIVETEST_CRASH_FILE="+file, "GRANTWELL_LIVETEST_CRASH="+strconv.Itoa(n))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.Output()
		printed := map[string]string{}
		for line := range strings.Lines(string(out)) {
			if word, value, ok := strings.Cut(strings.TrimSpace(line), " is "); ok {
				printed[word] = value
			}
		}
		retried[resume(t, file, printed)]++
		if err == nil {
			break // it came to its end
		}
		require.Contains(t, err.Error(), "killed", string(out))
	}
	require.Greater(t, n, 12)
	require.NotZero(t, retried[http.StatusOK])
	require.NotZero(t, retried[http.StatusBadRequest])
	t.Logf("%d places to die at: 0 half-issued, 0 twice, 0 lost; the request tried again was answered %v", n-1, retried)
}

// printFlow runs in the child process: one flow, with a line of output for each
// answer that its client received.
func printFlow(t *testing.T, file string) {
	n, err := strconv.Atoi(os.Getenv("GRANTWELL_LIVETEST_CRASH"))
	require.NoError(t, err)
	s, err := sqlstore.New(t.Context(), open(t, "sqlite", sqliteDSN(file), 4), sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.PutClient(t.Context(), conf()))
	a := newSite(t, &crashing{s, n})
	code := a.code()
	fmt.Println("code is", code)
	first := a.post("/token", redemption(code)...)
	require.Equal(t, 200, first.status, first.body)
	fmt.Printf("first is %s\nrefresh is %s\n", first.str("access_token"), first.str("refresh_token"))
	second := a.post("/token", refreshing(first.str("refresh_token"))...)
	require.Equal(t, 200, second.status, second.body)
	fmt.Printf("second is %s\nnext is %s\n", second.str("access_token"), second.str("refresh_token"))
	require.Equal(t, 200, a.post("/revoke", "token", second.str("refresh_token")).status)
	fmt.Println("revocation is done")
}

// resume is the client after the restart. It sends the unanswered request
// again, and then checks every token. It returns the answer of the retry.
func resume(t *testing.T, file string, printed map[string]string) (status int) {
	t.Helper()
	s, err := sqlstore.New(t.Context(), open(t, "sqlite", sqliteDSN(file), 4), sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.PutClient(t.Context(), conf()))
	a := newSite(t, s)
	live := func(kind storage.Kind) (n int) {
		recs, _, err := s.List(t.Context(), storage.Query{Kind: kind})
		require.NoError(t, err)
		for _, r := range recs {
			if r.State == storage.Active {
				n++
			}
		}
		return n
	}
	tokens := func() [2]int { return [2]int{live(storage.Access), live(storage.Refresh)} }
	switch {
	case printed["revocation"] != "":
		require.Zero(t, tokens())
		for _, name := range []string{"first", "second"} {
			require.False(t, a.active(printed[name]))
		}
		a.post("/token", refreshing(printed["next"])...).invalid(t)
	case printed["next"] != "":
		status = a.post("/revoke", "token", printed["next"]).status
		require.Equal(t, 200, status)
		require.Zero(t, tokens())
	case printed["refresh"] != "":
		if tokens() == [2]int{1, 1} { // not refreshed
			require.True(t, a.active(printed["first"]))
		} else {
			require.Equal(t, [2]int{2, 1}, tokens(), "half of a refresh")
		}
		r := a.post("/token", refreshing(printed["refresh"])...)
		if status = r.status; status == 200 {
			require.Equal(t, [2]int{2, 1}, tokens())
		} else {
			r.invalid(t)
			require.Zero(t, tokens(), "the second use ended the family")
		}
	case printed["code"] != "":
		require.Contains(t, [][2]int{{0, 0}, {1, 1}}, tokens(), "half of a redemption")
		spent := tokens() == [2]int{1, 1}
		r := a.post("/token", redemption(printed["code"])...)
		if status = r.status; spent {
			r.invalid(t)
			require.Zero(t, tokens(), "the second use ended the family")
		} else {
			require.Equal(t, 200, status, r.body)
		}
		a.post("/token", redemption(printed["code"])...).invalid(t)
	default:
		require.Zero(t, tokens())
	}
	return status
}
