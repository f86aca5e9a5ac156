package storage_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// The bounds of a client's registration, inclusive.
//
// Holds: RFC 7591 section 2; RFC 6749 section 4.1.2.
func TestClient_BoundsAreInclusive(t *testing.T) {
	t.Parallel()
	client := func(change func(*storage.Client)) error {
		c := storage.Client{
			ID:           "app",
			Secrets:      []storage.Secret{storage.HashSecret("s")},
			RedirectURIs: []string{"https://app.example/cb"},
		}
		change(&c)
		return c.Validate()
	}
	signing := func(change func(*storage.Client)) func(*storage.Client) {
		return func(c *storage.Client) {
			c.AuthMethod, c.Secrets = storage.AuthPrivateKeyJWT, nil
			change(c)
		}
	}
	for name, change := range map[string]func(*storage.Client){
		"ID":           func(c *storage.Client) { c.ID = strings.Repeat("x", 255) },
		"two secrets":  func(c *storage.Client) { c.Secrets = append(c.Secrets, c.Secrets[0]) },
		"code":         func(c *storage.Client) { c.CodeLifetime = 10 * time.Minute },
		"jwks":         signing(func(c *storage.Client) { c.JWKS = json.RawMessage(`{"keys":[]}`) }),
		"jwks_uri":     signing(func(c *storage.Client) { c.JWKSURI = "https://app.example/jwks" }),
		"certificates": signing(func(c *storage.Client) { c.Certificates = "x" }),
	} {
		require.NoError(t, client(change), name)
	}
	for name, tt := range map[string]struct {
		field  string
		change func(*storage.Client)
	}{
		"ID":               {"client_id", func(c *storage.Client) { c.ID = strings.Repeat("x", 256) }},
		"negative access":  {"lifetimes", func(c *storage.Client) { c.AccessTokenLifetime = -1 }},
		"negative refresh": {"lifetimes", func(c *storage.Client) { c.RefreshTokenLifetime = -1 }},
		"negative code":    {"lifetimes", func(c *storage.Client) { c.CodeLifetime = -1 }},
		"long code":        {"lifetimes", func(c *storage.Client) { c.CodeLifetime = 10*time.Minute + 1 }},
		"no key":           {"jwks", signing(func(*storage.Client) {})},
		"jwks is no JSON":  {"jwks", signing(func(c *storage.Client) { c.JWKS = json.RawMessage(`{"keys":`) })},
		"no base64":        {"secrets", func(c *storage.Client) { c.Secrets[0].Hash = "sha256:" + strings.Repeat("A", 42) + "!" }},
		"base64, cut":      {"secrets", func(c *storage.Client) { c.Secrets[0].Hash = "sha256:" + strings.Repeat("A", 43) + "=" }},
		"origin":           {"origins", func(c *storage.Client) { c.Origins = []string{"https://[::1"} }},
		"origin, escaped":  {"origins", func(c *storage.Client) { c.Origins = []string{"https://%zz"} }},
		"origin, control":  {"origins", func(c *storage.Client) { c.Origins = []string{"https://a\x7f"} }},
	} {
		require.ErrorContains(t, client(tt.change), "storage: client "+tt.field+":", name)
	}
}

// Every scheme that runs code or reads a file is refused by its name, with and without
// a dot in the URI.
//
// Holds: house: safe redirect registration.
func TestCheckRedirectURI_SchemesThatRunCode(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source"} {
		err := storage.CheckRedirectURI(scheme + "://app.example/cb")
		require.ErrorContains(t, err, "has the scheme "+scheme)
	}
}

// The ID of an entry for a client of another server has at most 255 characters.
func TestExternalID_IsBounded(t *testing.T) {
	t.Parallel()
	const issuer = "https://as.example"
	room := 255 - len("external:"+issuer+" ")
	require.Len(t, storage.ExternalID(issuer, strings.Repeat("x", room)), 255)
	require.Empty(t, storage.ExternalID(issuer, strings.Repeat("x", room+1)))
}

// bareRecords hides the optional methods of a store.
type bareRecords struct{ storage.Records }

// sweepsOnly is a store that sweeps and does not list.
type sweepsOnly struct {
	storage.Records
	storage.Sweeper
}

// Route lists if every one of its stores lists, and sweeps those that sweep, in
// whatever order they stand.
//
// Holds: house: stores by kind; house: sweeping.
func TestRoute_HasThePowersOfItsStores(t *testing.T) {
	t.Parallel()
	full := func() storage.Records { return memstore.New() }
	bare := func() storage.Records { return bareRecords{memstore.New()} }
	sweeps := func() storage.Records {
		s := memstore.New()
		return sweepsOnly{s, s}
	}
	expired := func(kind storage.Kind) storage.Record {
		return storage.Record{
			Kind: kind, Key: storage.Key(string(kind)), State: storage.Active, GrantID: "g",
			IssuedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-time.Minute),
		}
	}
	for name, tt := range map[string]struct {
		rest, codes, access func() storage.Records
		lists, sweeps       bool
		left                int
	}{
		"all":               {full, full, full, true, true, 0},
		"none":              {bare, bare, bare, false, false, 3},
		"rest cannot list":  {bare, full, full, false, true, 1},
		"last cannot list":  {full, full, bare, false, true, 1},
		"first cannot":      {full, bare, full, false, true, 1},
		"one sweeps only":   {bare, sweeps, bare, false, true, 2},
		"last one sweeps":   {bare, bare, sweeps, false, true, 2},
		"sweeps, not lists": {full, sweeps, full, false, true, 0},
	} {
		ctx := context.Background()
		r := storage.Route(tt.rest(), map[storage.Kind]storage.Records{storage.Access: tt.access(), storage.Code: tt.codes()})
		_, lists := r.(storage.Lister)
		sweeper, ok := r.(storage.Sweeper)
		require.Equal(t, []bool{tt.lists, tt.sweeps}, []bool{lists, ok}, name)

		kinds := []storage.Kind{storage.Access, storage.Code, storage.Refresh}
		for _, kind := range kinds {
			require.NoError(t, r.Insert(ctx, expired(kind)))
		}
		if ok {
			removed, err := sweeper.Sweep(ctx, time.Now(), 100)
			require.NoError(t, err)
			require.Equal(t, len(kinds)-tt.left, removed, name)
		}
		left := 0
		for _, kind := range kinds {
			if _, err := r.Get(ctx, kind, storage.Key(string(kind))); err == nil {
				left++
			}
		}
		require.Equal(t, tt.left, left, name)
	}
}
