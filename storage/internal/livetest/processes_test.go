//go:build linux

package livetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/dbserver"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// place says where two processes find the same records.
type place struct {
	Dialect sqlstore.Dialect // unless it is Redis
	Driver  string           // "" for Redis
	DSN     string
	Prefix  string
}

func (p place) records(t testing.TB) storage.Records {
	t.Helper()
	if p.Driver == "" {
		server := &redisServer{&dbserver.Server{DSN: p.DSN}}
		return redisStore(t, server.client(t), p.Prefix)
	}
	s, err := sqlstore.New(t.Context(), open(t, p.Driver, p.DSN, 8), p.Dialect, sqlstore.Options{Prefix: p.Prefix})
	require.NoError(t, err)
	return s
}

// batch is the number of codes that are redeemed before the two processes wait
// for each other.
const batch = 100

// redeem spends each code of a batch twice at the same time from this process,
// and returns the attempts that succeeded.
func redeem(s storage.Records, t testing.TB, from int, caller string) (won []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range batch {
		name := fmt.Sprint(from + i)
		for attempt := range 2 {
			wg.Go(func() {
				by := fmt.Sprint(name, "/", caller, attempt)
				err := s.Advance(t.Context(), storage.Active, spent(record(storage.Code, "code"+name, name)), record(storage.Access, by, name))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, by)
				} else if answerOf(err) != refused {
					won = append(won, "error: "+err.Error())
				}
			})
		}
	}
	wg.Wait()
	return won
}

// Two processes redeem each of many codes twice. On every store exactly one of
// the attempts succeeds, and only its token is stored.
//
// Holds: house: any instance; house: fault of a race; house: one winner;
// house: used once.
func TestContention_TwoProcesses(t *testing.T) {
	if text := os.Getenv("GRANTWELL_LIVETEST_PLACE"); text != "" {
		redeemBatches(t, text)
		return
	}
	places := map[string]func(t *testing.T) place{"Redis": func(t *testing.T) place {
		return place{DSN: startRedis(t, durable...).DSN, Prefix: prefix()}
	}}
	for _, d := range databases {
		places[d.name] = func(t *testing.T) place {
			driver, dsn := d.open(t)
			return place{d.dialect, driver, dsn, prefix()}
		}
	}
	for name, find := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contend(t, find(t))
		})
	}
}

func contend(t *testing.T, p place) {
	s := p.records(t)
	self, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestContention_TwoProcesses$", "-test.v", "-test.timeout=0")
	cmd.Env = append(os.Environ(), "GRANTWELL_LIVETEST_PLACE="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := bufio.NewReader(out)
	answer := func(word string) string {
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if rest, ok := strings.CutPrefix(line, word+" "); ok {
				return rest
			}
		}
	}
	answer("ready")
	double, none, wrong, theirs := 0, 0, 0, 0
	for from := 0; from < *contended; from += batch {
		codes := make([]storage.Record, batch)
		for i := range codes {
			name := fmt.Sprint(from + i)
			codes[i] = record(storage.Code, "code"+name, name)
			require.NoError(t, s.Insert(t.Context(), codes[i]))
		}
		_, err := fmt.Fprintln(in, from)
		require.NoError(t, err)
		won := redeem(s, t, from, "here")
		wins := map[string][]string{}
		there := strings.Fields(answer("won"))
		theirs += len(there)
		for _, by := range append(won, there...) {
			require.NotContains(t, by, "error")
			name, _, _ := strings.Cut(by, "/")
			wins[name] = append(wins[name], by)
		}
		for _, c := range codes {
			name := c.GrantID
			switch len(wins[name]) {
			case 0:
				none++
				continue
			case 1:
			default:
				double++
			}
			for _, by := range []string{name + "/here0", name + "/here1", name + "/there0", name + "/there1"} {
				_, err := s.Get(t.Context(), storage.Access, storage.Key(by))
				if (err == nil) != (by == wins[name][0]) {
					wrong++
				}
			}
		}
	}
	t.Logf("%d codes, two attempts in each of two processes: %d double, %d without a winner, %d wrong tokens; the other process won %d", *contended, double, none, wrong, theirs)
	require.Zero(t, double+none+wrong)
	require.NotZero(t, theirs)
	require.Less(t, theirs, *contended)
}

// redeemBatches runs in the other process: each line of input names a batch,
// and each line of output answers it.
func redeemBatches(t *testing.T, text string) {
	var p place
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	s := p.records(t)
	fmt.Println("ready .")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var from int
		_, err := fmt.Sscan(in.Text(), &from)
		require.NoError(t, err)
		fmt.Println("won", strings.Join(redeem(s, t, from, "there"), " "))
	}
}
