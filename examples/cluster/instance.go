//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/grantwell/grantwell/internal/dbserver"
)

// instance is one server process.
type instance struct {
	addr   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// team has the instances that were started.
type team struct {
	list  []*instance
	ended chan error // gets one error when no instance is left

	mu       sync.Mutex
	alive    int
	stopping bool
}

// add starts an instance. It returns the lines that the instance printed until it was
// ready, without the line of its address.
func (t *team) add(ctx context.Context, args []string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	i := &instance{
		cmd:    exec.Command(self, append([]string{"server"}, args...)...), //nolint:noctx // stop ends it
		exited: make(chan struct{}),
	}
	i.cmd.Stderr = os.Stderr
	i.cmd.SysProcAttr = dbserver.Attributes(nil, syscall.SIGKILL)
	stdout, err := i.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := i.cmd.Start(); err != nil {
		return nil, err
	}

	t.mu.Lock()
	t.alive++
	t.mu.Unlock()
	t.list = append(t.list, i)
	defer context.AfterFunc(ctx, func() { _ = i.cmd.Process.Signal(syscall.SIGTERM) })()

	var lines []string
	s := bufio.NewScanner(stdout)
	for s.Scan() && s.Text() != "ready" {
		if addr, ok := strings.CutPrefix(s.Text(), "address "); ok {
			i.addr = strings.TrimSpace(addr)
			continue
		}
		lines = append(lines, s.Text())
	}
	ready := s.Text() == "ready"
	go func() {
		_, _ = io.Copy(io.Discard, stdout) // until the process ends
		t.left(i, i.cmd.Wait())
	}()
	if !ready || i.addr == "" {
		return nil, errors.Join(errors.New("a server ended at its start"), ctx.Err())
	}

	return append(lines, "ready"), nil
}

// left counts an instance that has ended, and reports it unless all are being stopped.
func (t *team) left(i *instance, err error) {
	close(i.exited)
	t.mu.Lock()
	defer t.mu.Unlock()

	t.alive--
	if t.stopping {
		return
	}
	fmt.Fprintf(os.Stderr, "cluster: the instance %s has ended: %v; %d left\n", i.addr, err, t.alive)
	if t.alive == 0 {
		t.ended <- errors.New("no server is left")
	}
}

func (t *team) addrs() []string {
	list := make([]string, len(t.list))
	for n, i := range t.list {
		list[n] = i.addr
	}

	return list
}

// stop asks all instances to end and waits. An instance finishes the requests that it
// has begun; after 15 seconds it is killed.
func (t *team) stop() {
	t.mu.Lock()
	t.stopping = true
	t.mu.Unlock()
	for _, i := range t.list {
		_ = i.cmd.Process.Signal(syscall.SIGTERM)
	}

	patience := time.After(15 * time.Second)
	for _, i := range t.list {
		select {
		case <-i.exited:
		case <-patience:
			_ = i.cmd.Process.Kill()
			<-i.exited
		}
	}
}
