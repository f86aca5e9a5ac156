package backchannel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frame/backchannel"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// A preflight is answered for an origin that some client has. It names no client, and
// never allows credentials.
func TestCORS_Preflight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		origin, method  string
		status          int
		allowed, allows string
	}{
		{"https://app.example", "POST", http.StatusNoContent, "https://app.example", "POST"},
		{"https://host.example", "POST", http.StatusNoContent, "https://host.example", "POST"},
		{"https://evil.example", "POST", http.StatusNoContent, "", ""},
		{"https://down.example", "POST", http.StatusNoContent, "", ""},
		{"https://" + strings.Repeat("a", 300), "POST", http.StatusNoContent, "", ""},
		{"null", "POST", http.StatusMethodNotAllowed, "", ""},
		{"", "POST", http.StatusMethodNotAllowed, "", ""},
		{"https://app.example", "DELETE", http.StatusMethodNotAllowed, "", ""},
		{"https://app.example", "", http.StatusMethodNotAllowed, "", ""},
	} {
		req := httptest.NewRequest(http.MethodOptions, "/token", nil)
		req.Header.Set("Origin", c.origin)
		req.Header.Set("Access-Control-Request-Method", c.method)
		w := newRig().serve(seam.Endpoint{Handle: func(context.Context, *seam.Call) (seam.Reply, error) {
			t.Error("served")
			return seam.Reply{}, nil
		}}, req)
		require.Equal(t, c.status, w.Code, "%+v", c)
		require.Equal(t, c.allowed, w.Header().Get("Access-Control-Allow-Origin"), "%+v", c)
		require.Equal(t, c.allows, w.Header().Get("Access-Control-Allow-Methods"), "%+v", c)
		require.Equal(t, c.allows != "", w.Header().Get("Access-Control-Max-Age") == "600", "%+v", c)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
		if c.status == http.StatusNoContent {
			require.Equal(t, "Origin", w.Header().Get("Vary"))
		}
	}
}

// A store that cannot find origins leaves those that the host names.
func TestCORS_StoreWithoutOrigins(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.Clients = struct{ storage.Clients }{finder{}}
	for origin, want := range map[string]string{"https://host.example": "https://host.example", "https://app.example": ""} {
		req := httptest.NewRequest(http.MethodOptions, "/token", nil)
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		require.Equal(t, want, r.serve(seam.Endpoint{}, req).Header().Get("Access-Control-Allow-Origin"))
	}
}

// The answer itself is readable for the client's own origins, errors too.
func TestCORS_AnswerIsForTheClientsOrigins(t *testing.T) {
	t.Parallel()
	client := &storage.Client{ID: "app", Origins: []string{"https://app.example", "null"}}
	for origin, want := range map[string]string{
		"https://app.example":       "https://app.example",
		"https://APP.example":       "",
		"https://app.example.evil":  "",
		"https://other.example":     "",
		"null":                      "",
		"https://app.example:443":   "",
		"https://app.example, evil": "",
	} {
		for _, err := range []error{nil, grants.InvalidGrant("x")} {
			req := form("/token", "")
			req.Header.Set("Origin", origin)
			w := newRig().serve(seam.Endpoint{Handle: func(context.Context, *seam.Call) (seam.Reply, error) {
				return seam.Reply{Client: client}, err
			}}, req)
			require.Equal(t, want, w.Header().Get("Access-Control-Allow-Origin"), origin)
			require.Equal(t, "Origin", w.Header().Get("Vary"))
		}
	}

	// Without an Origin the header depends on nothing. An error before the client is
	// known is readable only where a preflight is answered.
	w := newRig().post(func(context.Context, *seam.Call) (seam.Reply, error) { return seam.Reply{Client: client}, nil })
	require.Empty(t, w.Header().Get("Vary"))
}

// An error that came before the client was known is readable where a preflight is
// answered. An answer without a client is readable for no page.
func TestCORS_ErrorBeforeTheClientIsKnown(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"https://app.example":  "https://app.example",
		"https://host.example": "https://host.example",
		"https://evil.example": "",
		"https://down.example": "",
		"null":                 "",
	} {
		for _, err := range []error{nil, grants.InvalidClient("x")} {
			req := form("/token", "")
			req.Header.Set("Origin", origin)
			w := newRig().serve(seam.Endpoint{Handle: failing(err)}, req)
			if err == nil {
				require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), origin)
				continue
			}
			require.Equal(t, want, w.Header().Get("Access-Control-Allow-Origin"), origin)
			require.Equal(t, "Origin", w.Header().Get("Vary"))
		}
	}
}

// A host's own headers are allowed beside those of the endpoints.
func TestCORS_HeadersOfTheHost(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.Headers = []string{"X-Trace"}
	req := httptest.NewRequest(http.MethodOptions, "/token", nil)
	req.Header.Set("Origin", "https://host.example")
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	w := r.serve(seam.Endpoint{}, req)
	require.Equal(t, "Authorization, Content-Type, DPoP, X-Trace", w.Header().Get("Access-Control-Allow-Headers"))
}

// A host's origins and request headers are refused where no preflight could name them.
//
// Holds: RFC 7009 section 2.3.
func TestCheckOrigins_NamesOfHeaders(t *testing.T) {
	t.Parallel()
	require.NoError(t, backchannel.CheckOrigins([]string{"https://app.example"}, []string{"X-Trace_ID-0", "traceparent"}))
	for _, name := range []string{"", "*", "X Trace", "X-Trace,Y", "X-Trace:", "X-Tracé", "X-Trace\r\n"} {
		require.ErrorContains(t, backchannel.CheckOrigins(nil, []string{"X-Trace", name}), "OriginHeaders[1]", "%q", name)
	}
	require.ErrorContains(t, backchannel.CheckOrigins([]string{"https://app.example/"}, nil), "Origins[0]")
}
