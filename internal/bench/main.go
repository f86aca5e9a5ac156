package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

var (
	serveFlag = flag.String("serve", "", "be the server of this `name` (the command starts itself so)")
	rounds    = flag.Int("rounds", 4, "how often each workload goes to each server")
	deep      = flag.Bool("deep", false, "fill the other servers' stores with a million tokens too, which takes minutes")
	only      = flag.String("workload", "", "only the workloads whose name contains this `text`, and no growth")
	among     = flag.String("servers", "", "only these servers, separated by commas; the floor is always there")
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

// chosen are the servers and workloads that the flags select.
func chosen() (who []peer, what []*workload) {
	for _, p := range peers {
		if *among == "" || p.name == "floor" || strings.Contains(","+*among+",", ","+p.name+",") {
			who = append(who, p)
		}
	}
	for _, w := range workloads {
		if strings.Contains(w.name, *only) {
			what = append(what, w)
		}
	}
	return who, what
}

func compare() error {
	begin := time.Now()
	k, err := newKeys(maxJWTs, maxSAMLs)
	if err != nil {
		return err
	}
	who, what := chosen()
	res := newResults(who, what)
	for round := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d (%ds)\n", round+1, *rounds, int(time.Since(begin).Seconds()))
		if time.Since(begin) > 4*time.Minute { // the assertions live for five
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

// round starts every server, gives each workload to all of them in turn, over the network and then in process, and stops them.
func (res *results) round(round int, k *keys) (err error) {
	var servers []*remote
	defer func() {
		for _, r := range servers {
			if stopped := r.stop(); err == nil {
				err = stopped
			}
		}
	}()
	for _, p := range res.who {
		r, err := start(p, k)
		if err != nil {
			return err
		}
		servers = append(servers, r)
	}
	for _, w := range res.what {
		for i := range servers {
			r := servers[(i+round)%len(servers)]
			if !r.peer.has(w) {
				continue
			}
			cpu, err := r.load(w, w.ops)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			a, err := r.ask(command{Do: "bench", Workload: w.name, N: w.ops})
			if err != nil {
				return fmt.Errorf("%s in process: %w", w.name, err)
			}
			res.add(w, r.peer, cpu, a.Bench)
		}
	}
	return nil
}

// grow fills each server's store in a process of its own.
func (res *results) grow(k *keys) error {
	for _, p := range res.who {
		limit := 100_000
		if *deep || p.name == "floor" || p.name == "grantwell" {
			limit = 1_000_000
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
