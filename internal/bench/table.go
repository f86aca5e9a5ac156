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

// results has the figures of all rounds.
type results struct {
	servers   []peer
	workloads []*workload
	cells     map[string]*cell // by workload and server
	growth    map[string]*growth
}

// cell has the figures of one workload on one server, one for each round.
type cell struct {
	cpu   []time.Duration
	bench []*inProcess
}

// newResults returns results without figures.
func newResults(servers []peer, workloads []*workload) *results {
	return &results{
		servers:   servers,
		workloads: workloads,
		cells:     make(map[string]*cell),
		growth:    make(map[string]*growth),
	}
}

// cell returns the cell of a workload and a server.
func (res *results) cell(w *workload, name string) *cell {
	key := w.name + "\n" + name
	c := res.cells[key]
	if c == nil {
		c = &cell{}
		res.cells[key] = c
	}
	return c
}

// add adds the figures of a round.
func (res *results) add(w *workload, p peer, cpu time.Duration, b *inProcess) {
	c := res.cell(w, p.name)
	c.cpu = append(c.cpu, cpu)
	c.bench = append(c.bench, b)
}

// median returns the median of a list, or 0 for an empty list.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	if n == 0 {
		return 0
	}
	return (list[(n-1)/2] + list[n/2]) / 2
}

// each returns the median of a figure over n rounds.
func each(n int, figure func(round int) float64) float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = figure(i)
	}
	return median(list)
}

// micros returns a duration in microseconds.
func micros(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond)
}

// The texts above the tables.
const (
	overHTTP = "CPU time of the server's process for one operation over HTTP: " +
		"the floor in µs, the others as multiples of the floor"
	inProcessText = "In process, without HTTP: time as a multiple of the floor's; " +
		"ns, bytes and allocations for one operation"
	growthText = "Bytes of heap for a live token among 100,000, and CPU time in process, " +
		"collection included, by the number of live tokens (µs: issue, introspect)"
	growthHead = "| server | access | access + refresh | at 1,000 | at 100,000 | at 1,000,000 |\n" +
		"|---|---|---|---|---|---|\n"
)

// print writes the tables in Markdown.
func (res *results) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d of its cores, %s %s/%s, %s, %d rounds\n",
		processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		time.Now().UTC().Format("2006-01-02"), *rounds)
	res.table(out, overHTTP, cpuText)
	res.table(out, inProcessText, benchText)
	if len(res.growth) > 0 {
		res.printGrowth(out)
	}
}

// cpuText returns the CPU time of the floor, or its multiple.
func cpuText(c, floor *cell, isFloor bool) string {
	if isFloor {
		return fmt.Sprintf("%.1f", each(len(c.cpu), func(i int) float64 {
			return micros(c.cpu[i])
		}))
	}
	return fmt.Sprintf("%.2f", each(len(c.cpu), func(i int) float64 {
		return float64(c.cpu[i]) / float64(floor.cpu[i])
	}))
}

// benchText returns the figures in process. Bytes and allocations are those of the last
// round, because they hardly change.
func benchText(c, floor *cell, isFloor bool) string {
	last := c.bench[len(c.bench)-1]
	ns := each(len(c.bench), func(i int) float64 {
		return float64(c.bench[i].Time)
	})
	text := fmt.Sprintf("%.0f ns, %d B, %d", ns, last.Bytes, last.Allocs)
	if isFloor {
		return text
	}
	ratio := each(len(c.bench), func(i int) float64 {
		return float64(c.bench[i].Time) / float64(floor.bench[i].Time)
	})
	return fmt.Sprintf("%.2f (%s)", ratio, text)
}

// table writes a table with a row for each workload and a column for each server.
func (res *results) table(
	out io.Writer,
	title string,
	text func(c, floor *cell, isFloor bool) string,
) {
	fmt.Fprintf(out, "\n%s\n\n| workload |", title)
	for _, p := range res.servers {
		fmt.Fprintf(out, " %s |", p.name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(res.servers)))
	for _, w := range res.workloads {
		fmt.Fprintf(out, "| %s |", w.name)
		for _, p := range res.servers {
			if !p.has(w) {
				fmt.Fprint(out, " – |")
				continue
			}
			fmt.Fprintf(
				out,
				" %s |",
				text(res.cell(w, p.name), res.cell(w, "floor"), p.name == "floor"),
			)
		}
		fmt.Fprintln(out)
	}
}

// printGrowth writes the table of growth.
func (res *results) printGrowth(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n\n%s", growthText, growthHead)
	for _, p := range res.servers {
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

// processor returns the name of the machine's processor.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok &&
			strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
