package grantwell_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Each of two live secrets authenticates, whichever hash stands first. A secret of more than
// 512 bytes is none, and no secret is that of a client whose stored hash is of no text.
//
// Holds: house: overlapping secrets.
func TestClientSecret_EachOfTwoAndItsLength(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	longest := strings.Repeat("x", 512)
	for name, c := range map[string]struct {
		hashes  []string
		right   []string
		refused []string
	}{
		"bcrypt": {
			[]string{servertest.BcryptHash(t, "one"), servertest.BcryptHash(t, "two")},
			[]string{"one", "two"}, []string{"three", "onetwo"},
		},
		"chosen":   {[]string{storage.HashSecret("one").Hash, storage.HashSecret("two").Hash}, []string{"one", "two"}, []string{"three"}},
		"longest":  {[]string{storage.HashSecret(longest).Hash}, []string{longest}, []string{longest + "x"}},
		"too long": {[]string{storage.HashSecret(longest + "x").Hash}, nil, []string{longest + "x", longest}},
		"no text":  {[]string{storage.HashSecret("").Hash}, nil, []string{"x", "wrong"}},
	} {
		for _, chosen := range []bool{true, false} {
			s.AddClient("two", func(client *storage.Client) {
				client.Secrets = nil
				for _, hash := range c.hashes {
					client.Secrets = append(client.Secrets, storage.Secret{Hash: hash, Chosen: chosen})
				}
			})
			for _, secret := range c.right {
				require.Equal(t, http.StatusOK, s.ClientCredentials("two:"+secret).Status, "%s %q", name, secret)
			}
			for _, secret := range c.refused {
				s.ClientCredentials("two:"+secret).Fails(t, 401, "invalid_client")
			}
		}
	}
}

// The client that a header names as it was sent is looked up second. An outage then is no
// wrong name.
//
// Holds: house: store fails closed.
func TestBasic_OutageAtTheSecondReading(t *testing.T) {
	t.Parallel()
	s, store := servertest.NewHooked(t, nil)
	calls := 0
	store.Before(func(_ context.Context, call servertest.Call) error {
		if call.Name == "Client" {
			if calls++; calls == 2 {
				return errors.New(servertest.StoreFault)
			}
		}
		return nil
	})
	req := servertest.Request("/token", "", "grant_type=client_credentials")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x%2Dy:secret")))
	require.Equal(t, http.StatusServiceUnavailable, s.Do(req).Status)
	require.Equal(t, 2, calls)
}

// A client that is read literally, and whose name is sent encoded, has a secret that is
// encoded too.
func TestBasic_EncodedNameHasAnEncodedSecret(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.AddClient("a-b", func(c *storage.Client) {
		c.Secrets, c.LiteralBasic = []storage.Secret{storage.HashSecret("p%41")}, true
	})
	for sent, status := range map[string]int{
		"a-b:p%41":     http.StatusOK,
		"a%2Db:p%2541": http.StatusOK,
		"a%2Db:p%41":   http.StatusUnauthorized,
	} {
		req := servertest.Request("/token", "", "grant_type=client_credentials")
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(sent)))
		require.Equal(t, status, s.Do(req).Status, sent)
	}
}

// The owner of a key learns which claim of its assertion was refused. A caller without the
// key learns nothing of the claims. Two Authorization headers beside an assertion are refused
// as a client that did not authenticate.
//
// Holds: RFC 7521 section 4.2.1.
func TestClientAssertion_OwnerLearnsTheRefusedClaim(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, nil)
	s.AddClient("signer-web", func(c *storage.Client) {
		c.AuthMethod, c.Secrets = storage.AuthPrivateKeyJWT, nil
		c.JWKS = servertest.JWKS(t, &parties.Client.PublicKey)
	})
	post := func(key any, audience string, headers ...string) servertest.Reply {
		claims := servertest.AssertionClaims("signer-web", "signer-web", audience)
		req := servertest.Request("/token", "", servertest.Form(
			"grant_type", "client_credentials", "client_assertion_type", assertion.ClientJWT,
			"client_assertion", servertest.SignJWT(t, jose.ES256, key, claims)))
		for _, h := range headers {
			req.Header.Add("Authorization", h)
		}
		return s.Do(req)
	}
	require.Equal(t, http.StatusOK, post(parties.Client, servertest.Issuer).Status)
	owner := post(parties.Client, "https://other.example")
	owner.Fails(t, 401, "invalid_client")
	other := post(servertest.ECKey(t), "https://other.example")
	other.Fails(t, 401, "invalid_client")
	require.NotEqual(t, owner.String("error_description"), other.String("error_description"))
	require.Contains(t, owner.String("error_description"), "aud")
	require.Equal(t, other.String("error_description"), s.ClientCredentials("conf:wrong").String("error_description"))

	post(parties.Client, servertest.Issuer, "Basic YTpi", "Basic YTpi").Fails(t, 401, "invalid_client")
	req := servertest.Request("/token", "", "grant_type=client_credentials")
	req.Header["Authorization"] = []string{"Basic YTpi", "Basic YTpi"}
	s.Do(req).Fails(t, 400, "invalid_request")
}
