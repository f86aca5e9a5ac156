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

// balancer gives each request to the next instance, so that no browser and no client
// stays with one of them.
type balancer struct {
	addrs     []string
	turn      atomic.Uint64
	transport *http.Transport
}

// newBalancer keeps no connections open. If an instance dies while a kept connection
// carries a request, the balancer cannot know whether the request was served, and it
// must not send it twice.
func newBalancer(addrs []string) *balancer {
	return &balancer{
		addrs: addrs,
		transport: &http.Transport{
			DisableKeepAlives:     true,
			DisableCompression:    true,
			DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			ResponseHeaderTimeout: 15 * time.Second,
		},
	}
}

// proxy returns the reverse proxy. It sends the client's address to the servers, which
// trust it, and drops the forwarding headers that the client has sent.
func (b *balancer) proxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: b,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = r.In.Host // the balancer replaces it by an instance
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorLog: log.New(io.Discard, "", 0), // the status of the answer says it
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "error: the server did not answer", http.StatusBadGateway)
		},
	}
}

// RoundTrip sends a request to the next instance. It tries another one only if no
// connection could be made, because the request was not sent then.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	turn := b.turn.Add(1)
	count := uint64(len(b.addrs))

	var res *http.Response
	var err error
	for i := range count {
		try := r.Clone(r.Context())
		try.URL.Host = b.addrs[(turn+i)%count]
		if r.Body != nil {
			// The body is read only once there is a connection. ReverseProxy closes it.
			try.Body = io.NopCloser(r.Body)
		}
		res, err = b.transport.RoundTrip(try)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			break
		}
	}

	return res, err
}
