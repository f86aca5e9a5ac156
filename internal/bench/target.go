package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// target is a server as a workload calls it. One goroutine uses it at a time.
type target interface {
	// post sends a form. If basic is true, it sends the client's Basic header.
	post(path, form string, basic bool) (answer, error)
	// get sends a GET. It does not follow a redirect.
	get(path, query string) (answer, error)
}

// answer is the answer to a request. Its body is valid until the next request.
type answer struct {
	status   int
	location string
	body     []byte
}

// basicHeader is the Authorization header of the client.
var basicHeader = "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+secret))

// wire is a client for HTTP/1.1 on one connection. It does little work, because it shares
// the processor with the server.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	out  []byte
	body []byte
}

// dial connects to a server on this machine.
func dial(addr string) (*wire, error) {
	conn, err := net.Dial("tcp", addr) //nolint:noctx // a connection to this machine does not wait
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, r: bufio.NewReader(conn)}, nil
}

// commonHeaders end the request line and begin the headers of each request.
const commonHeaders = " HTTP/1.1\r\n" +
	"Host: as.example\r\n" +
	"User-Agent: Go-http-client/1.1\r\n" +
	"Accept-Encoding: gzip\r\n"

func (t *wire) post(path, form string, basic bool) (answer, error) {
	b := append(append(append(t.out[:0], "POST "...), path...), commonHeaders...)
	if basic {
		b = append(append(append(b, "Authorization: "...), basicHeader...), "\r\n"...)
	}
	b = append(b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
	b = append(append(strconv.AppendInt(b, int64(len(form)), 10), "\r\n\r\n"...), form...)
	return t.send(b)
}

func (t *wire) get(path, query string) (answer, error) {
	b := append(append(t.out[:0], "GET "...), path...)
	if query != "" {
		b = append(append(b, '?'), query...)
	}
	return t.send(append(append(b, commonHeaders...), "\r\n"...))
}

// send sends a request and reads the answer.
func (t *wire) send(b []byte) (a answer, err error) {
	t.out = b
	if _, err := t.conn.Write(b); err != nil {
		return a, err
	}

	// The answer's head. All servers send Content-Length for answers of this size.
	length := -1
	for first := true; ; first = false {
		line, err := t.r.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 {
				return a, fmt.Errorf("bench: malformed status line %q", line)
			}
			if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return a, err
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, err
			}
		case bytes.EqualFold(name, []byte("Location")):
			a.location = string(value)
		}
	}
	if length < 0 {
		return a, errors.New("bench: an answer without Content-Length")
	}
	if cap(t.body) < length {
		t.body = make([]byte, 2*length)
	}
	a.body = t.body[:length]
	_, err = io.ReadFull(t.r, a.body)
	return a, err
}

// local calls a handler in this process. It allocates the same for the requests of all
// servers.
type local struct {
	h     http.Handler
	basic http.Header
	plain http.Header
	none  http.Header
	w     recorder
}

// newLocal returns a target for a handler.
func newLocal(h http.Handler) *local {
	form := []string{"application/x-www-form-urlencoded"}
	return &local{
		h:     h,
		basic: http.Header{"Content-Type": form, "Authorization": {basicHeader}},
		plain: http.Header{"Content-Type": form},
		none:  http.Header{},
		w:     recorder{header: make(http.Header)},
	}
}

// recorder is a response writer that is used again.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (t *local) post(path, form string, basic bool) (answer, error) {
	h := t.plain
	if basic {
		h = t.basic
	}
	return t.serve(&http.Request{
		Method:        http.MethodPost,
		URL:           &url.URL{Path: path},
		Header:        h,
		ContentLength: int64(len(form)),
		Body:          io.NopCloser(strings.NewReader(form)),
	})
}

func (t *local) get(path, query string) (answer, error) {
	return t.serve(&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: path, RawQuery: query},
		Header: t.none,
		Body:   http.NoBody,
	})
}

// serve calls the handler with a request as net/http would make it.
func (t *local) serve(r *http.Request) (answer, error) {
	r.Proto = "HTTP/1.1"
	r.ProtoMajor = 1
	r.ProtoMinor = 1
	r.Host = "as.example"
	r.RemoteAddr = "127.0.0.1:40000"
	r.RequestURI = r.URL.Path

	clear(t.w.header)
	t.w.status = 0
	t.w.body.Reset()

	// A handler that writes nothing answers 200, as in net/http.
	t.h.ServeHTTP(&t.w, r)
	t.w.WriteHeader(http.StatusOK)
	var location string
	if l := t.w.header["Location"]; len(l) > 0 {
		location = l[0]
	}
	return answer{t.w.status, location, t.w.body.Bytes()}, nil
}
