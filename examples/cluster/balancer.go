//go:build unix

package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"
)

// balancer gives each request to the next instance, whose requests it is not: nothing sticks to a browser or a client.
type balancer struct {
	addrs     []string
	turn      atomic.Uint64
	transport *http.Transport
}

// newBalancer keeps no connections: on one that an instance's death has closed, nobody could tell whether a request had been
// served, and it must not be sent twice.
func newBalancer(addrs []string) *balancer {
	return &balancer{addrs: addrs, transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, ResponseHeaderTimeout: 15 * time.Second}}
}

// proxy is the plain reverse proxy. It tells the servers, which trust it, who the client is; what the client says of that itself
// is dropped.
func (b *balancer) proxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: b,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host // the balancer names the instance
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorLog: log.New(io.Discard, "", 0), // its words go into the answer's status
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "error: the server did not answer", http.StatusBadGateway)
		},
	}
}

// RoundTrip sends a request to the instance whose turn it is and, only if no connection to it could be made, to another.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	turn := b.turn.Add(1)
	var res *http.Response
	var err error
	for i := range uint64(len(b.addrs)) {
		try := r.Clone(r.Context())
		try.URL.Host = b.addrs[(turn+i)%uint64(len(b.addrs))]
		if r.Body != nil {
			try.Body = io.NopCloser(r.Body) // not read before there is a connection; ReverseProxy closes it
		}
		res, err = b.transport.RoundTrip(try)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			break
		}
	}
	return res, err
}
