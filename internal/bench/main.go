package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

var (
	serveFlag = flag.String("serve", "", "run as the server with this `name`; the command starts itself with it")
	rounds    = flag.Int("rounds", 4, "the number of rounds")
	deep      = flag.Bool("deep", false, "fill the stores of the other servers with a million tokens too, which takes minutes")
	only      = flag.String("workload", "", "run only the workloads whose name contains this `text`, and no growth")
	among     = flag.String("servers", "", "run only these servers, separated by commas, and the floor")
)

func main() {
	flag.Parse()
	if *serveFlag != "" {
		runChild(*serveFlag)
		return
	}
	if err := compare(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// chosen returns the servers and the workloads that the flags select.
func chosen() (servers []peer, tasks []*workload) {
	for _, p := range peers {
		if *among == "" || p.name == "floor" || strings.Contains(","+*among+",", ","+p.name+",") {
			servers = append(servers, p)
		}
	}
	for _, w := range workloads {
		if strings.Contains(w.name, *only) {
			tasks = append(tasks, w)
		}
	}
	return servers, tasks
}

// maxAge is how long the signed assertions are used. They are valid for nearly five
// minutes.
const maxAge = 4 * time.Minute

// compare measures all that was chosen and prints the tables.
func compare() error {
	begin := time.Now()
	k, err := newKeys(maxJWTs, maxSAMLs)
	if err != nil {
		return err
	}
	res := newResults(chosen())
	for round := range *rounds {
		fmt.Fprintf(
			os.Stderr,
			"round %d of %d (%ds)\n",
			round+1,
			*rounds,
			int(time.Since(begin).Seconds()),
		)
		if time.Since(begin) > maxAge {
			if k, err = k.withAssertions(maxJWTs, maxSAMLs); err != nil {
				return err
			}
			begin = time.Now()
		}
		if err := res.round(round, k); err != nil {
			return err
		}
	}
	if *only == "" {
		fmt.Fprintln(os.Stderr, "growth")
		if err := res.grow(k); err != nil {
			return err
		}
	}
	res.print(os.Stdout)
	return nil
}

// round starts all servers, runs each workload on one after the other, over the network and
// then in process, and stops them.
func (res *results) round(round int, k *keys) (err error) {
	var servers []*remote

	// Servers that were started are stopped after a failure too.
	defer func() {
		for _, r := range servers {
			if stopped := r.stop(); err == nil {
				err = stopped
			}
		}
	}()
	for _, p := range res.servers {
		r, err := start(p, k)
		if err != nil {
			return err
		}
		servers = append(servers, r)
	}

	// Each round begins with another server.
	for _, w := range res.workloads {
		for i := range servers {
			r := servers[(i+round)%len(servers)]
			if !r.peer.has(w) {
				continue
			}
			cpu, err := r.load(w, w.ops)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			a, err := r.ask(command{
				Do:       "bench",
				Workload: w.name,
				N:        w.ops,
			})
			if err != nil {
				return fmt.Errorf("%s in process: %w", w.name, err)
			}
			res.add(w, r.peer, cpu, a.Bench)
		}
	}
	return nil
}

// The numbers of live tokens at which growth ends. The stores of some servers take minutes
// to fill with a million.
const (
	growLimit = 100_000
	deepLimit = 1_000_000
)

// grow measures the growth of each server, in a process of its own.
func (res *results) grow(k *keys) error {
	for _, p := range res.servers {
		limit := growLimit
		if *deep || p.name == "floor" || p.name == "grantwell" {
			limit = deepLimit
		}
		r, err := start(p, k)
		if err != nil {
			return err
		}
		a, err := r.ask(command{Do: "grow", N: limit})
		if stopped := r.stop(); err == nil {
			err = stopped
		}
		if err != nil {
			return err
		}
		res.growth[p.name] = a.Growth
	}
	return nil
}
