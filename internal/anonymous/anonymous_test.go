package anonymous

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
)

//go:generate go test . -run TestTable -count 1 -update

var update = flag.Bool("update", false, "write TABLE.md")

// The most that one request may cost, and a flood of them.
const (
	maxCPU   = 2 * time.Millisecond
	maxBytes = 1 << 20
	maxFlood = 32 << 20 // live memory after 600 requests
)

// cost is what one request takes.
type cost struct {
	cpu   time.Duration
	bytes uint64
	rows  int
}

// measure sends a request some times, one after the other and each from another address,
// and returns what one took.
func measure(t testing.TB, s *servertest.Site, a *attack, times int) cost {
	t.Helper()
	requests := make([]*http.Request, times)
	for i := range requests {
		requests[i] = a.request(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	rows := rowsOf(s)
	goroutines := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu := cpuTime(t)
	for _, req := range requests {
		w := httptest.NewRecorder()
		w.Body = nil
		s.Handler.ServeHTTP(w, req)
		assert.Contains(t, a.want, w.Code, "%s: %s", a.endpoint, a.sends)
	}
	cpu = cpuTime(t) - cpu
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "%s: %s", a.endpoint, a.sends)

	return cost{
		cpu:   cpu / time.Duration(times),
		bytes: (after.TotalAlloc - before.TotalAlloc) / uint64(times),
		rows:  (rowsOf(s) - rows) / times,
	}
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &use))

	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func rowsOf(s *servertest.Site) int {
	counter, _ := s.Store.(interface{ Len() int })

	return counter.Len()
}

// A request without credentials takes at most 1 MiB, starts no goroutine that outlives it
// and stores what the table says. TABLE.md has these cases.
func TestTable_CostsAreBounded(t *testing.T) {
	s, attacks := newSite(t, false)
	var out bytes.Buffer
	out.WriteString(head)
	for i := range attacks {
		a := &attacks[i]
		c := measure(t, s, a, 20)
		assert.LessOrEqual(t, c.bytes, uint64(maxBytes), "%s: %s", a.endpoint, a.sends)
		assert.Equal(t, a.rows, c.rows, "%s: %s", a.endpoint, a.sends)
		fmt.Fprintf(&out, "| %s | %s | %s | %d | %d | %d |\n", a.endpoint, a.sends, a.bound, a.rows, c.cpu.Microseconds(), c.bytes>>10)
	}
	if *update {
		require.NoError(t, os.WriteFile("TABLE.md", out.Bytes(), 0o600))
	}

	have, err := os.ReadFile("TABLE.md")
	require.NoError(t, err)
	require.Equal(t, withoutFigures(out.String()), withoutFigures(string(have)), "run go generate ./internal/anonymous")
}

const head = `# What a caller without credentials can cost

One request of each kind, at a server with every grant and the store in memory. The tests
of this package hold the rows and the memory, its benchmark the CPU time. The figures are
those of one machine with two cores. The body of a request ends with the request's deadline,
Config.Timeout, whether it arrives or not. No request here makes the server fetch anything.

| Endpoint | What is sent | What bounds it | Records | CPU, µs | Memory, KiB |
|---|---|---|---:|---:|---:|
`

// withoutFigures returns the table without its last two columns.
func withoutFigures(table string) string {
	lines := strings.Split(table, "\n")
	for i, line := range lines {
		if cells := strings.Split(line, "|"); len(cells) == 8 {
			lines[i] = strings.Join(cells[:5], "|")
		}
	}

	return strings.Join(lines, "\n")
}

// BenchmarkRequest fails if a request without credentials takes more CPU time than the
// bound: the time of this process, which a busy machine does not change much.
func BenchmarkRequest(b *testing.B) {
	s, attacks := newSite(b, false)
	for i := range attacks {
		a := &attacks[i]
		b.Run(strings.ReplaceAll(a.endpoint+": "+a.sends, " ", "_"), func(b *testing.B) {
			c := measure(b, s, a, max(b.N, 50))
			b.ReportMetric(float64(c.cpu.Microseconds()), "cpu-µs/request")
			b.ReportMetric(float64(c.bytes>>10), "KiB/request")
			if c.cpu > maxCPU && !a.slow {
				b.Errorf("one request takes %v of CPU time, more than %v", c.cpu, maxCPU)
			}
		})
	}
}

// In a flood of each kind of request an honest client at another address is served: one
// with a slow hash too, and a user who signs in. The memory stays bounded and comes back.
func TestFlood_HonestClientsAreServed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	s, attacks := newSite(t, true)
	before := liveMemory()
	for i := range attacks {
		a := &attacks[i]
		stop := make(chan struct{})
		var served atomic.Int32
		var honest sync.WaitGroup
		honest.Go(func() {
			for {
				serveHonest(t, s)
				served.Add(1)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		var next atomic.Int32
		servertest.Parallel(16, func(int) {
			for next.Add(1) <= 600 {
				w := httptest.NewRecorder()
				w.Body = nil
				s.Handler.ServeHTTP(w, a.request("192.0.2.66:1"))
				if !slices.Contains(a.want, w.Code) {
					t.Errorf("%s: %s: status %d", a.endpoint, a.sends, w.Code)
				}
			}
		})
		close(stop)
		honest.Wait()
		require.Positive(t, served.Load())
		if grown := liveMemory() - before; grown > maxFlood {
			t.Fatalf("%s: %s: %d MiB are kept", a.endpoint, a.sends, grown>>20)
		}
		_, err := s.Store.(interface {
			Sweep(ctx context.Context, before time.Time, limit int) (int, error)
		}).Sweep(t.Context(), time.Now().Add(24*time.Hour), 1<<20)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, liveMemory()-before, int64(4<<20), "the memory does not come back")
}

// serveHonest does what an honest client and an honest user do.
func serveHonest(t *testing.T, s *servertest.Site) {
	t.Helper()
	do := func(method, target string, header map[string]string, body string) *httptest.ResponseRecorder {
		a := attack{method: method, target: target, body: body, header: header}
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, a.request("198.51.100.1:1"))

		return w
	}
	for as, secret := range map[string]string{"slow": slowSecret, "conf": servertest.Secret} {
		if w := do(http.MethodPost, "/token", basic(as, secret), "grant_type=client_credentials"); w.Code != http.StatusOK {
			t.Errorf("%s is refused: %d %s", as, w.Code, w.Body)
		}
	}
	cookie := servertest.SessionCookie("alice", time.Now()).String()
	w := do(http.MethodGet, servertest.AuthorizeURL("client_id", "page"), map[string]string{"Cookie": cookie}, "")
	if w.Code != http.StatusSeeOther {
		t.Errorf("a user is refused: %d", w.Code)
	}
}

// liveMemory returns what is in use after a collection.
func liveMemory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc) //nolint:gosec // a heap has less than 8 EiB
}
