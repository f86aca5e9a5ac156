package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results collects the figures of all rounds.
type results struct {
	who    []peer
	what   []*workload
	cells  map[string]*cell // by workload and server
	growth map[string]*growth
}

// cell has one figure a round.
type cell struct {
	cpu   []time.Duration
	bench []*inProcess
}

func newResults(who []peer, what []*workload) *results {
	return &results{who: who, what: what, cells: make(map[string]*cell), growth: make(map[string]*growth)}
}

func (res *results) cell(w *workload, name string) *cell {
	key := w.name + "\n" + name
	c := res.cells[key]
	if c == nil {
		c = &cell{}
		res.cells[key] = c
	}
	return c
}

func (res *results) add(w *workload, p peer, cpu time.Duration, b *inProcess) {
	c := res.cell(w, p.name)
	c.cpu = append(c.cpu, cpu)
	c.bench = append(c.bench, b)
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	if n == 0 {
		return 0
	}
	return (list[(n-1)/2] + list[n/2]) / 2
}

// each is the median over the rounds of a figure.
func each(n int, figure func(round int) float64) float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = figure(i)
	}
	return median(list)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (res *results) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d of its cores, %s %s/%s, %s, %d rounds\n", processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		time.Now().UTC().Format("2006-01-02"), *rounds)
	res.table(out, "CPU time of the server's process for one operation over HTTP: the floor in µs, the others as multiples of it",
		func(c, floor *cell, isFloor bool) string {
			if isFloor {
				return fmt.Sprintf("%.1f", each(len(c.cpu), func(i int) float64 { return micros(c.cpu[i]) }))
			}
			return fmt.Sprintf("%.2f", each(len(c.cpu), func(i int) float64 { return float64(c.cpu[i]) / float64(floor.cpu[i]) }))
		})
	res.table(out, "In process, without HTTP: time as a multiple of the floor's; ns, bytes and allocations for one operation",
		func(c, floor *cell, isFloor bool) string {
			last := c.bench[len(c.bench)-1]
			text := fmt.Sprintf("%.0f ns, %d B, %d", each(len(c.bench), func(i int) float64 { return float64(c.bench[i].Time) }), last.Bytes, last.Allocs)
			if isFloor {
				return text
			}
			return fmt.Sprintf("%.2f (%s)", each(len(c.bench), func(i int) float64 { return float64(c.bench[i].Time) / float64(floor.bench[i].Time) }), text)
		})
	if len(res.growth) > 0 {
		res.printGrowth(out)
	}
}

// table prints a row for each workload and a column for each server.
func (res *results) table(out io.Writer, title string, text func(c, floor *cell, isFloor bool) string) {
	fmt.Fprintf(out, "\n%s\n\n| workload |", title)
	for _, p := range res.who {
		fmt.Fprintf(out, " %s |", p.name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(res.who)))
	for _, w := range res.what {
		fmt.Fprintf(out, "| %s |", w.name)
		for _, p := range res.who {
			if !p.has(w) {
				fmt.Fprint(out, " – |")
				continue
			}
			fmt.Fprintf(out, " %s |", text(res.cell(w, p.name), res.cell(w, "floor"), p.name == "floor"))
		}
		fmt.Fprintln(out)
	}
}

func (res *results) printGrowth(out io.Writer) {
	fmt.Fprintf(out, "\nBytes of heap for a live token among 100,000, and CPU time in process, collection included, by the number of live tokens (µs: issue, introspect)\n\n")
	fmt.Fprintf(out, "| server | access | access + refresh | at 1,000 | at 100,000 | at 1,000,000 |\n|---|---|---|---|---|---|\n")
	for _, p := range res.who {
		g := res.growth[p.name]
		fmt.Fprintf(out, "| %s | %.0f | %.0f |", p.name, g.Access, g.Refresh)
		for i := range levels {
			if i >= len(g.Levels) {
				fmt.Fprint(out, " – |")
				continue
			}
			fmt.Fprintf(out, " %.1f, %.1f |", micros(g.Levels[i].Issue), micros(g.Levels[i].Ask))
		}
		fmt.Fprintln(out)
	}
}

// processor is the machine's own name for what it runs on.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
