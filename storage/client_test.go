package storage_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// An invalid client is refused, and the reason names the field.
//
// Holds: house: safe redirect registration.
func TestClient_ValidateNamesTheField(t *testing.T) {
	t.Parallel()
	good := func() storage.Client {
		return storage.Client{ID: "app", Secrets: []storage.Secret{storage.HashSecret("s")}, RedirectURIs: []string{"https://app.example/cb"}, Scope: []string{"read"}}
	}
	unspoilt := good()
	require.NoError(t, unspoilt.Validate())
	for name, c := range map[string]struct {
		field string
		spoil func(*storage.Client)
	}{
		"no ID":                {"client_id", func(c *storage.Client) { c.ID = "" }},
		"long ID":              {"client_id", func(c *storage.Client) { c.ID = strings.Repeat("x", 256) }},
		"ID not ASCII":         {"client_id", func(c *storage.Client) { c.ID = "é" }},
		"ID with a line break": {"client_id", func(c *storage.Client) { c.ID = "a\nb" }},
		"no secret":            {"secrets", func(c *storage.Client) { c.Secrets = nil }},
		"three secrets":        {"secrets", func(c *storage.Client) { c.Secrets = append(c.Secrets, c.Secrets[0], c.Secrets[0]) }},
		"secret in the clear":  {"secrets", func(c *storage.Client) { c.Secrets[0].Hash = "hunter2" }},
		"empty hash":           {"secrets", func(c *storage.Client) { c.Secrets[0].Hash = "" }},
		"short hash":           {"secrets", func(c *storage.Client) { c.Secrets[0].Hash = "sha256:AAAA" }},
		"public with a secret": {"secrets", func(c *storage.Client) { c.AuthMethod = storage.AuthNone }},
		"public machine": {"grant_types", func(c *storage.Client) {
			c.AuthMethod, c.Secrets, c.GrantTypes = storage.AuthNone, nil, []string{"client_credentials"}
		}},
		"public without consent":   {"skip_consent", func(c *storage.Client) { c.AuthMethod, c.Secrets, c.SkipConsent = storage.AuthNone, nil, true }},
		"unknown method":           {"token_endpoint_auth_method", func(c *storage.Client) { c.AuthMethod = "magic" }},
		"keys twice":               {"jwks_uri", func(c *storage.Client) { c.JWKS, c.JWKSURI = json.RawMessage(`{}`), "https://app.example/jwks" }},
		"keys without TLS":         {"jwks_uri", func(c *storage.Client) { c.JWKSURI = "http://app.example/jwks" }},
		"keys at a long URI":       {"jwks_uri", func(c *storage.Client) { c.JWKSURI = "https://app.example/" + strings.Repeat("x", 2048-19) }},
		"no redirect URI":          {"redirect_uris", func(c *storage.Client) { c.RedirectURIs = nil }},
		"implicit, none":           {"redirect_uris", func(c *storage.Client) { c.RedirectURIs, c.GrantTypes = nil, []string{"implicit"} }},
		"blank redirect URI":       {"redirect_uris", func(c *storage.Client) { c.RedirectURIs = []string{" "} }},
		"scope with a space":       {"scope", func(c *storage.Client) { c.Scope = []string{"read write"} }},
		"default not in scope":     {"default_scope", func(c *storage.Client) { c.DefaultScope = []string{"write"} }},
		"origin with a path":       {"origins", func(c *storage.Client) { c.Origins = []string{"https://app.example/"} }},
		"origin null":              {"origins", func(c *storage.Client) { c.Origins = []string{"null"} }},
		"origin wildcard":          {"origins", func(c *storage.Client) { c.Origins = []string{"*"} }},
		"origin of another scheme": {"origins", func(c *storage.Client) { c.Origins = []string{"ftp://app.example"} }},
		"origin with a user":       {"origins", func(c *storage.Client) { c.Origins = []string{"https://u@app.example"} }},
		"token format":             {"access_token_format", func(c *storage.Client) { c.AccessTokenFormat = "paseto" }},
		"negative retry window":    {"refresh_retry_window", func(c *storage.Client) { c.RefreshRetryWindow = -1 }},
		"long retry window":        {"refresh_retry_window", func(c *storage.Client) { c.RefreshRetryWindow = 5*time.Minute + 1 }},
		"negative assertion":       {"assertion_lifetime", func(c *storage.Client) { c.AssertionLifetime = -1 }},
		"long assertion":           {"assertion_lifetime", func(c *storage.Client) { c.AssertionLifetime = storage.MaxAssertionLifetime + 1 }},
		"negative lifetime":        {"lifetimes", func(c *storage.Client) { c.AccessTokenLifetime = -1 }},
		"code of an hour":          {"lifetimes", func(c *storage.Client) { c.CodeLifetime = time.Hour }},
	} {
		t.Run(name, func(t *testing.T) {
			client := good()
			c.spoil(&client)
			require.ErrorContains(t, client.Validate(), "storage: client "+c.field+":")
		})
	}
	t.Run("bounds are inclusive", func(t *testing.T) {
		c := good()
		c.ID = strings.Repeat("~", 255)
		c.JWKSURI = "https://app.example/" + strings.Repeat("x", 2048-20)
		c.RefreshRetryWindow, c.AssertionLifetime, c.CodeLifetime = 5*time.Minute, storage.MaxAssertionLifetime, 10*time.Minute
		require.NoError(t, c.Validate())
	})
	t.Run("every reason at once", func(t *testing.T) {
		err := (&storage.Client{AuthMethod: "magic", Origins: []string{"*"}}).Validate()
		for _, field := range []string{"client_id", "token_endpoint_auth_method", "redirect_uris", "origins"} {
			require.ErrorContains(t, err, field)
		}
	})
	t.Run("a public client may skip consent when the host insists", func(t *testing.T) {
		c := good()
		c.AuthMethod, c.Secrets, c.SkipConsent, c.ForceSkipConsent = storage.AuthNone, nil, true, true
		require.NoError(t, c.Validate())
	})
	t.Run("imported hashes", func(t *testing.T) {
		for _, hash := range []string{"$2a$10$x", "$2b$10$x", "$2y$10$x", "$argon2id$v=19$x"} {
			c := good()
			c.Secrets = []storage.Secret{{Hash: hash}}
			require.NoError(t, c.Validate())
		}
	})
}

// A response type is a set of values in any order.
func TestClient_AllowsResponseInAnyOrder(t *testing.T) {
	t.Parallel()
	c := storage.Client{ResponseTypes: []string{"code", "code id_token"}}
	for value, want := range map[string]bool{
		"code": true, "code id_token": true, "id_token code": true, " id_token  code ": true,
		"id_token": false, "code token": false, "code code": false, "": false, "Code": false, "code id_token token": false,
	} {
		require.Equal(t, want, c.AllowsResponse(value), "%q", value)
	}
	require.True(t, (&storage.Client{}).AllowsResponse("code"), "the default")
	require.False(t, (&storage.Client{}).AllowsResponse("token"))
	require.False(t, (&storage.Client{GrantTypes: []string{"client_credentials"}}).AllowsResponse("code"))
}

// A field that is not set has the safe default of RFC 7591.
func TestClient_Defaults(t *testing.T) {
	t.Parallel()
	var c storage.Client
	require.Equal(t, storage.AuthClientSecretBasic, c.Method())
	require.False(t, c.Public())
	require.True(t, (&storage.Client{AuthMethod: storage.AuthNone}).Public())
	require.True(t, c.AllowsGrant("authorization_code"))
	for _, other := range []string{"implicit", "password", "client_credentials", "refresh_token", ""} {
		require.False(t, c.AllowsGrant(other), other)
	}
	require.False(t, (&storage.Client{GrantTypes: []string{"refresh_token"}}).AllowsGrant("authorization_code"))
}

// A clone shares no memory with its client, in any field.
func TestClient_CloneSharesNothing(t *testing.T) {
	t.Parallel()
	var c storage.Client
	fields := reflect.VisibleFields(reflect.TypeFor[storage.Client]())
	v := reflect.ValueOf(&c).Elem()
	for _, field := range fields {
		switch f := v.FieldByIndex(field.Index); f.Kind() {
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Map:
			f.Set(reflect.MakeMap(f.Type()))
			f.SetMapIndex(reflect.ValueOf("k"), reflect.ValueOf("v"))
		}
	}
	clone := c.Clone()
	require.Equal(t, c, clone)
	w := reflect.ValueOf(clone)
	for _, field := range fields {
		if k := field.Type.Kind(); k == reflect.Slice || k == reflect.Map {
			require.NotEqual(t, v.FieldByIndex(field.Index).Pointer(), w.FieldByIndex(field.Index).Pointer(), field.Name)
		}
	}
	require.Equal(t, storage.Client{}, (&storage.Client{}).Clone(), "nil stays nil")
	empty := storage.Client{Scope: []string{}}
	require.Equal(t, empty, empty.Clone(), "empty stays empty")
}

// The lists of a clone are separate: an append to one list does not write into
// another.
func TestClient_CloneListsAreApart(t *testing.T) {
	t.Parallel()
	c := storage.Client{GrantTypes: []string{"refresh_token"}, Scope: []string{"read"}, DefaultScope: []string{"read"}, Audience: []string{"a", "b"}}
	clone := c.Clone()
	clone.GrantTypes = append(clone.GrantTypes, "password")
	clone.Scope = append(clone.Scope, "admin")
	clone.Scope[0] = "write"
	require.Equal(t, []string{"read"}, clone.DefaultScope)
	require.Equal(t, c.Audience, clone.Audience)
	require.Equal(t, []string{"read"}, c.Scope)
}

// A scope is a scope-token of RFC 6749 section 3.3.
func TestValidScope_Characters(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "openid", "orders:read", "https://api.example/x?y=[1]", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", strings.Repeat("s", 256)} {
		require.True(t, storage.ValidScope(good), good)
	}
	for _, bad := range []string{"", " ", "a b", `a"b`, `a\b`, "a\n", "\x00", "é", "\x7f", strings.Repeat("s", 257)} {
		require.False(t, storage.ValidScope(bad), "%q", bad)
	}
}
