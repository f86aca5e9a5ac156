package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A refused request spends nothing, and a voucher buys tokens once (RFC 6749 section
// 4.5).
func TestVoucher_IsSpentOnceAndOnlyBySuccess(t *testing.T) {
	t.Parallel()
	shop := &Shop{owners: map[string]string{"v-1": "ann"}}
	srv, secret, err := build(t.Context(), "http://127.0.0.1:8080", shop)
	require.NoError(t, err)
	ask := func(voucher, scope string) *httptest.ResponseRecorder {
		form := url.Values{
			"grant_type": {Voucher{}.GrantType()},
			"voucher":    {voucher},
			"scope":      {scope},
		}
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("shop", secret)
		w := httptest.NewRecorder()
		srv.TokenHandler().ServeHTTP(w, r)
		return w
	}

	refused := ask("v-1", "admin")
	require.Equal(t, 400, refused.Code)
	require.Contains(t, refused.Body.String(), "invalid_scope")

	issued := ask("v-1", "order")
	require.Equal(t, 200, issued.Code, issued.Body)
	require.Contains(t, issued.Body.String(), `"refresh_token"`)

	for _, voucher := range []string{"v-1", "v-2"} {
		again := ask(voucher, "order")
		require.Equal(t, 400, again.Code)
		require.Contains(t, again.Body.String(), "invalid_grant")
	}
}

// The README shows the grant of this program, to the letter.
func TestVoucher_IsTheOneInTheREADME(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("voucher.go")
	require.NoError(t, err)
	from := strings.Index(string(program), "type Voucher struct")
	to := strings.Index(string(program), "// Shop stands for")
	require.Positive(t, from)
	require.Greater(t, to, from)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+string(program)[from:to-1]+"```")
}
