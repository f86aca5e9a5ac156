//go:build unix

// Command cluster starts several processes of the example server on one store, and a
// reverse proxy in front of them that gives each request to the next one, so that no
// two steps of a flow meet the same process:
//
//	go run .                                  # two servers on a PostgreSQL of their own, which ends with them
//	go run . -store redis -n 3
//	go run . -store sqlite                    # needs nothing installed
//	go run . -store "postgres:host=/var/run/postgresql dbname=app" -- -access-token jwt -log
//
// The arguments after -- go to the servers. The command prints one line for each
// instance and then what the example server prints. An interrupt ends all of it. This
// module is never released.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/grantwell/grantwell/examples/cluster/internal/stores"
	"github.com/grantwell/grantwell/examples/internal/server"
)

// maxInstances bounds -n, because each instance has a pool of connections.
const maxInstances = 8

// options are the settings of the command line.
type options struct {
	instances int
	addr      string
	store     string
	secrets   string
	demo      string
	more      []string // arguments for the servers
}

func main() {
	// Each instance is this program with the argument "server".
	if len(os.Args) > 1 && os.Args[1] == "server" {
		server.MainArgs(os.Args[2:], stores.All)
		return
	}

	var o options
	flag.IntVar(&o.instances, "n", 2, "how `many` servers there are")
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8089",
		"`address` of the proxy; port 0 picks a free one")
	flag.StringVar(&o.store, "store", "postgres",
		"postgres, mysql, redis or sqlite: a new one, which is removed at the end; "+
			"with :DSN, :ADDRESS or :FILE one that exists")
	flag.StringVar(&o.secrets, "secrets", "", "see the server; default: with a new store, new ones")
	flag.StringVar(&o.demo, "demo", "", "see the server")
	flag.Parse()
	o.more = flag.Args()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run starts the store, the servers and the proxy, and ends them in the opposite order.
func run(ctx context.Context, o options) error {
	if o.instances < 1 || o.instances > maxInstances {
		return fmt.Errorf("-n: from 1 to %d", maxInstances)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	dir, err := os.MkdirTemp("", "cluster") // only this user can read it
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	out := bufio.NewWriter(os.Stdout)
	if !strings.Contains(o.store, ":") {
		name, end, err := private(ctx, o.store, dir)
		if err != nil {
			return err
		}
		defer end()
		fmt.Fprintf(out, "%-12s %s\n", "store", name)
		o.store = name
		if o.secrets == "" {
			o.secrets = filepath.Join(dir, "secrets.json")
		}
	}

	team, lines, err := o.start(ctx, "http://"+ln.Addr().String())
	defer team.stop()
	if err != nil {
		return err
	}
	if err := announce(out, team, lines); err != nil {
		return err
	}

	return serve(ctx, ln, newBalancer(team.addrs()), team.ended)
}

// announce prints the instances, and then the lines that are true of all of them.
func announce(out *bufio.Writer, t *team, lines []string) error {
	for _, i := range t.list {
		fmt.Fprintf(out, "%-12s %s %d\n", "instance", i.addr, i.cmd.Process.Pid)
	}
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}

	return out.Flush()
}

// start starts the servers, one after another. It returns the lines of the first, which
// are true of all of them.
func (o options) start(ctx context.Context, issuer string) (*team, []string, error) {
	t := &team{ended: make(chan error, 1)}
	var first []string
	for n := range o.instances {
		demo := o.demo
		if n > 0 {
			demo = "-" // one demo file describes all instances
		}
		args := append([]string{
			"-addr", "127.0.0.1:0",
			"-issuer", issuer,
			"-store", o.store,
			"-trusted-proxy", "127.0.0.1/32",
			"-secrets", o.secrets,
			"-demo", demo,
		}, o.more...)
		lines, err := t.add(ctx, args)
		if err != nil {
			return t, nil, err
		}
		if n == 0 {
			first = lines
		}
	}

	return t, first, nil
}

// serve runs the proxy until ctx ends or no server is left.
func serve(ctx context.Context, ln net.Listener, b *balancer, ended <-chan error) error {
	proxy := &http.Server{
		Handler:           b.proxy(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- proxy.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case err := <-ended:
		return errors.Join(err, proxy.Close())
	case <-ctx.Done():
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()

	return proxy.Shutdown(ctx)
}
