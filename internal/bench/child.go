package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// command is a command to a server's process. The process reads one JSON object a line, and
// answers each with one line.
type command struct {
	Do       string // "usage", "collect", "bench", "grow"
	Workload string
	N        int
}

// reply is the answer to a command.
type reply struct {
	CPU    time.Duration `json:",omitempty"` // user and system time of the process
	Bench  *inProcess    `json:",omitempty"`
	Growth *growth       `json:",omitempty"`
	Err    string        `json:",omitempty"`
}

// inProcess has the figures of testing.B for one operation.
type inProcess struct {
	Time          time.Duration
	Bytes, Allocs int64
}

// serve runs a server's process. It reads the keys, and then commands until the input ends.
func serve(name string, in io.Reader, out io.Writer) error {
	p, err := peerNamed(name)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bufio.NewReader(in))
	enc := json.NewEncoder(out)
	var k keys
	if err := dec.Decode(&k); err != nil {
		return err
	}

	// One server for each form of access tokens, all of them in this process.
	addrs := make(map[string]string)
	for _, form := range forms {
		h, err := p.build(&k, form)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addrs[form] = l.Addr().String()

		// It serves until the process ends.
		srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { _ = srv.Serve(l) }()
	}
	if err := enc.Encode(addrs); err != nil {
		return err
	}

	// The parent ends the process by closing its output.
	for {
		var c command
		if err := dec.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}

		// A failure of a command does not end the process.
		r, err := p.run(&k, c)
		if err != nil {
			r.Err = err.Error()
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
}

// run runs one command.
func (p peer) run(k *keys, c command) (r reply, err error) {
	switch c.Do {
	case "usage":
		r.CPU, err = cpuTime()
	case "collect":
		collect()
	case "bench":
		i := slices.IndexFunc(workloads, func(w *workload) bool { return w.name == c.Workload })
		if i < 0 {
			return r, fmt.Errorf("bench: no workload has the name %q", c.Workload)
		}
		r.Bench, err = benchN(p, workloads[i], k, c.N)
	case "grow":
		r.Growth, err = grow(p, k, c.N)
	default:
		err = fmt.Errorf("bench: no command has the name %q", c.Do)
	}
	return r, err
}

// cpuTime returns the CPU time of this process since its start.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// collect frees the garbage of an earlier measurement. The second run frees what finalizers
// released in the first.
func collect() {
	runtime.GC()
	runtime.GC()
}

// benchN runs a workload n times in process with the testing package, on a new server.
func benchN(p peer, w *workload, k *keys, n int) (*inProcess, error) {
	collect()
	if err := flag.Set("test.benchtime", fmt.Sprintf("%dx", n)); err != nil {
		return nil, err
	}
	var failure error
	res := testing.Benchmark(func(b *testing.B) {
		if err := runB(b, p, w, k); err != nil {
			failure = err
			b.SkipNow()
		}
	})
	if failure != nil {
		return nil, failure
	}
	return &inProcess{
		Time:   time.Duration(res.NsPerOp()),
		Bytes:  res.AllocedBytesPerOp(),
		Allocs: res.AllocsPerOp(),
	}, nil
}

// runB benchmarks a workload in process.
func runB(b *testing.B, p peer, w *workload, k *keys) error {
	h, err := p.build(k, w.form)
	if err != nil {
		return err
	}
	c := &caller{
		target: newLocal(h),
		peer:   p,
		keys:   k,
		next:   new(atomic.Int64),
	}
	if w.prepare != nil {
		if err := w.prepare(c, b.N); err != nil {
			return err
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := w.op(c, i); err != nil {
			return err
		}
	}
	return nil
}

// runChild is the main function of a server's process.
func runChild(name string) {
	testing.Init()
	if err := serve(name, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", name+":", err)
		os.Exit(1)
	}
}
