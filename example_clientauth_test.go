package grantwell_test

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// certificate authenticates clients by the self-signed certificate of their
// connection (RFC 8705 section 2.2). The host has put its thumbprint into the
// client's metadata. TLS has proven that the client has the key.
type certificate struct{}

func (certificate) Methods() []string { return []string{storage.AuthSelfSignedTLS} }

func (certificate) Presented(r *http.Request, _ url.Values) (string, bool) {
	return "", r.TLS != nil && len(r.TLS.PeerCertificates) > 0
}

func (certificate) Verify(
	_ context.Context, r *http.Request, _ url.Values, c storage.Client,
) error {
	want := c.Metadata["thumbprint"]
	if want == "" || subtle.ConstantTimeCompare([]byte(want),
		[]byte(thumbprint(r.TLS.PeerCertificates[0]))) != 1 {
		return errors.New("another certificate than the client's")
	}
	return nil
}

func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A host adds a method of client authentication with a type of three methods.
func ExampleClientAuthenticator() {
	store := memstore.New()
	mine := &x509.Certificate{Raw: []byte("stands for the client's certificate")}
	err := store.PutClient(context.Background(), storage.Client{
		ID:           "app",
		AuthMethod:   storage.AuthSelfSignedTLS,
		GrantTypes:   []string{"client_credentials"},
		Scope:        []string{"read"},
		DefaultScope: []string{"read"},
		Metadata:     map[string]string{"thumbprint": thumbprint(mine)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv, err := grantwell.New(grantwell.Config{
		Issuer:     "https://as.example",
		Clients:    store,
		Records:    store,
		Grants:     []grants.Handler{grants.ClientCredentials{}},
		ClientAuth: []grantwell.ClientAuthenticator{certificate{}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, cert := range []*x509.Certificate{mine, {Raw: []byte("another certificate")}} {
		r := httptest.NewRequest(http.MethodPost, "/token",
			strings.NewReader("grant_type=client_credentials&client_id=app"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)
		fmt.Println(w.Code, strings.Contains(w.Body.String(), "access_token"),
			strings.Contains(w.Body.String(), "invalid_client"))
	}
	// Output:
	// 200 true false
	// 401 false true
}
