package grantwell_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Many libraries do not form-encode what they put into a Basic header (RFC 6749 section
// 2.3.1). A client that is registered so may send either spelling, and no other client
// may. A wrong secret stays wrong in both.
//
// Holds: RFC 6749 section 2.3.1.
func TestBasic_LiteralForClientsThatAskForIt(t *testing.T) {
	t.Parallel()
	literally := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	encoded := func(id, secret string) string { return literally(url.QueryEscape(id), url.QueryEscape(secret)) }

	for _, client := range []struct{ id, secret string }{
		{"plain", "nothing-odd-in-here"},
		{"plain", "a%2Fb"},
		{"plain", "100%"},
		{"plain", "%zz"},
		{"plain", "a+b c"},
		{"plain", "a:b:c"},
		{"plain", "p\u00e4ss%w\u00f6rd"},
		{"a+b", "secret"},
		{"50%", "100%"},
		{"x?a=%20", "se+cret"},
	} {
		for kind, stored := range map[string]storage.Secret{
			"generated": storage.HashSecret(client.secret),
			"chosen":    {Hash: storage.HashSecret(client.secret).Hash, Chosen: true},
			"bcrypt":    {Hash: servertest.BcryptHash(t, client.secret)},
		} {
			for _, literal := range []bool{true, false} {
				s := servertest.New(t, nil)
				s.AddClient("conf", func(c *storage.Client) {
					c.ID, c.Secrets, c.LiteralBasic = client.id, []storage.Secret{stored}, literal
				})
				status := func(header, form string) int {
					req := servertest.Request("/token", "", "grant_type=client_credentials"+form)
					req.Header.Set("Authorization", header)
					return s.Do(req).Status
				}
				named := "&client_id=" + url.QueryEscape(client.id)
				require.Equal(t, 200, status(encoded(client.id, client.secret), ""), "%s %v", kind, client)
				require.Equal(t, 200, status(encoded(client.id, client.secret), named), "%s %v", kind, client)
				want := 401
				if literal || literally(client.id, client.secret) == encoded(client.id, client.secret) || client.secret == "a:b:c" {
					want = 200
				}
				require.Equal(t, want, status(literally(client.id, client.secret), ""), "%s %v", kind, client)
				if want == 200 {
					require.Equal(t, 200, status(literally(client.id, client.secret), named), "%s %v", kind, client)
				}
				require.Equal(t, 401, status(literally(client.id, client.secret+"x"), ""), "%s %v", kind, client)
				require.Equal(t, 401, status(encoded(client.id, client.secret+"x"), ""), "%s %v", kind, client)
				require.Contains(t, []int{400, 401}, status(literally(client.id, client.secret), "&client_id=conf"))
			}
		}
	}
}

// A header that names two clients, one in each reading, is that of the decoded one
// unless the request names the other; none is authenticated by the other's secret.
func TestBasic_LiteralNamesOneClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	add := func(id, secret string, literal bool) {
		s.AddClient("conf", func(c *storage.Client) {
			c.ID, c.Secrets, c.LiteralBasic = id, []storage.Secret{storage.HashSecret(secret)}, literal
		})
	}
	add("a+b", "one", true)
	add("a b", "two", true)
	add("c+d", "three", true)
	got := func(id, secret, named string) (int, string) {
		form := "grant_type=client_credentials"
		if named != "" {
			form += "&client_id=" + url.QueryEscape(named)
		}
		req := servertest.Request("/token", "", form)
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
		res := s.Do(req)
		return res.Status, s.LastEvent().ClientID
	}
	for _, c := range []struct {
		id, secret, named string
		status            int
		client            string
	}{
		{"a+b", "two", "", http.StatusOK, "a b"},
		{"a+b", "one", "", http.StatusUnauthorized, "a b"},
		{"a+b", "two", "a b", http.StatusOK, "a b"},
		{"a+b", "one", "a b", http.StatusUnauthorized, "a b"},
		{"a+b", "one", "a+b", http.StatusOK, "a+b"},
		{"a+b", "two", "a+b", http.StatusUnauthorized, "a+b"},
		{"c+d", "three", "", http.StatusOK, "c+d"},
		{"c+d", "three", "c+d", http.StatusOK, "c+d"},
		{"c+d", "three", "c d", http.StatusUnauthorized, ""},
	} {
		status, client := got(c.id, c.secret, c.named)
		require.Equal(t, c.status, status, "%+v", c)
		require.Equal(t, c.client, client, "%+v", c)
	}
	require.Equal(t, grants.ReasonClientUnknown, s.LastEvent().Reason)
}

// The secrets that the server generates need no encoding.
func TestBasic_GeneratedSecretsNeedNoEncoding(t *testing.T) {
	t.Parallel()
	for range 100 {
		secret, _ := grantwell.GenerateSecret()
		require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_-]+$`, secret)
	}
}
