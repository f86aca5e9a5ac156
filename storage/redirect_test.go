package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// Holds V40, V42.
func TestCheckRedirectURI_Wildcards(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"https://*.example/cb", "https://example.com*", "https://app.example/*", "https://app.example/cb?x=*", "com.example.app:/*"} {
		require.ErrorContains(t, storage.CheckRedirectURI(uri), "wildcard", uri)
	}
}

// A redirect URI whose query holds a parameter of the response is refused where it is registered: the client would
// see the parameter twice.
// Holds R30, V41.
func TestCheckRedirectURI_ResponseParameters(t *testing.T) {
	t.Parallel()
	for query, ok := range map[string]bool{
		"": true, "tenant=1": true, "codec=1": true, "x=code": true, "a=1&b=2": true, "error_uri_of=x": true,
		"code=1": false, "a=1&state=2": false, "c%6Fde=1": false, "state": false, "a;iss=x": false, "error=": false,
		"error_description=x": false, "access_token=x": false, "id_token=": false, "response=x": false, "%63ode": false,
	} {
		err := storage.CheckRedirectURI("https://app.example/cb?" + query)
		if ok {
			require.NoError(t, err, query)
			continue
		}
		require.ErrorContains(t, err, "parameter of the response", query)
		c := storage.Client{ID: "c", Secrets: []storage.Secret{storage.HashSecret("s")}, RedirectURIs: []string{"https://app.example/cb?" + query}}
		require.ErrorContains(t, c.Validate(), "redirect_uris", query)
	}
}
