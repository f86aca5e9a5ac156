package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// remote is a server's process as the load generator uses it.
type remote struct {
	peer  peer
	keys  *keys
	cmd   *exec.Cmd
	in    io.WriteCloser
	enc   *json.Encoder
	dec   *json.Decoder
	addrs map[string]string // by the form of access tokens
}

// start runs this program as a server.
func start(p peer, k *keys) (*remote, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &remote{
		peer: p,
		keys: k,
		cmd:  exec.Command(exe, "-serve", p.name), //nolint:noctx // stop ends the process
	}
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	// The process gets its keys first, and answers with its addresses.
	r.enc, r.dec = json.NewEncoder(r.in), json.NewDecoder(bufio.NewReader(out))
	if err := r.enc.Encode(k); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	if err := r.dec.Decode(&r.addrs); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", p.name, err), r.stop())
	}
	return r, nil
}

// stop ends the process by closing its input.
func (r *remote) stop() error {
	return errors.Join(r.in.Close(), r.cmd.Wait())
}

// ask sends a command and reads the reply.
func (r *remote) ask(c command) (a reply, err error) {
	if err := r.enc.Encode(c); err != nil {
		return a, err
	}
	if err := r.dec.Decode(&a); err != nil {
		return a, err
	}
	if a.Err != "" {
		return a, fmt.Errorf("%s: %s", r.peer.name, a.Err)
	}
	return a, nil
}

// connections is the number of concurrent clients.
const connections = 8

// load runs a workload over the network, and returns the CPU time of the server for one
// operation.
func (r *remote) load(w *workload, ops int) (time.Duration, error) {
	each := ops / connections
	next := new(atomic.Int64)
	var wires []*wire
	defer func() {
		for _, conn := range wires {
			_ = conn.conn.Close()
		}
	}()

	var callers [connections]*caller
	var prepared errgroup.Group
	for i := range callers {
		conn, err := dial(r.addrs[w.form])
		if err != nil {
			return 0, err
		}
		wires = append(wires, conn)
		c := &caller{
			target: conn,
			peer:   r.peer,
			keys:   r.keys,
			next:   next,
		}
		callers[i] = c
		if w.prepare != nil {
			prepared.Go(func() error { return w.prepare(c, each) })
		}
	}
	if err := prepared.Wait(); err != nil {
		return 0, err
	}

	// What prepare left is not measured.
	if _, err := r.ask(command{Do: "collect"}); err != nil {
		return 0, err
	}
	before, err := r.ask(command{Do: "usage"})
	if err != nil {
		return 0, err
	}

	var calls errgroup.Group
	var turn sync.Mutex

	// Callers of a workload that runs alone take turns.
	for _, c := range callers {
		calls.Go(func() error {
			for i := range each {
				if w.alone {
					turn.Lock()
				}
				err := w.op(c, i)
				if w.alone {
					turn.Unlock()
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return 0, err
	}
	after, err := r.ask(command{Do: "usage"})
	return (after.CPU - before.CPU) / time.Duration(each*connections), err
}
