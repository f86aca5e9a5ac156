package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program prints a command that sends a request, and then the span, the metrics
// and the event of each request, without the secret.
func TestProgram(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, listener, out)
		_ = out.Close()
	}()
	lines := bufio.NewReader(in)
	curl, err := lines.ReadString('\n')
	require.NoError(t, err)
	words := strings.Fields(curl)
	_, secret, _ := strings.Cut(words[2], ":")
	var rest bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&rest, lines)
	}()
	for _, as := range []string{secret, "wrong"} {
		// What the printed command sends.
		form := strings.NewReader("grant_type=client_credentials")
		req, err := http.NewRequest(http.MethodPost, words[len(words)-1], form)
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("demo", as)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, as == secret, res.StatusCode == http.StatusOK)
	}
	stop()
	require.NoError(t, <-ended)
	<-read
	for _, want := range []string{
		`"Name":"token"`,
		`"Name":"signer Sign"`,
		`"Name":"records Insert"`,
		`"grantwell.request.duration"`,
		`"grantwell.call.duration"`,
		"event.outcome=ok",
		"event.outcome=refused",
	} {
		require.Contains(t, rest.String(), want)
	}
	require.NotContains(t, rest.String(), secret)
}
