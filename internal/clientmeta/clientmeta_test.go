package clientmeta_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

const secret = "a secret of more than 32 characters"

func document(t testing.TB, text string) clientmeta.Document {
	t.Helper()
	var doc clientmeta.Document
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	return doc
}

func app() storage.Client {
	return storage.Client{
		ID:        "app",
		Secrets:   []storage.Secret{{Hash: storage.HashSecret(secret).Hash, ExpiresAt: time.Unix(1_800_000_000, 0).UTC()}},
		SharedKey: []byte(secret),
		JWKS:      json.RawMessage(`{"keys":[{"kid":"<&>"}]}`),
		Scope:     []string{"read", "write"},
		Name:      "App",
	}
}

// A view is the client's JSON without its hashes and its key.
func TestView_HidesHashesAndKeys(t *testing.T) {
	t.Parallel()
	c := app()
	view, err := clientmeta.View(&c)
	require.NoError(t, err)
	text, err := json.Marshal(view)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"client_id": "app",
		"client_name": "App",
		"jwks": {"keys": [{"kid": "<&>"}]},
		"scope": "read write",
		"secrets": [{"id": "`+clientmeta.SecretID(c.Secrets[0])+`", "expires_at": "2027-01-15T08:00:00Z"}],
		"shared_key": true
	}`, string(text))

	bare := storage.Client{ID: "bare"}
	view, err = clientmeta.View(&bare)
	require.NoError(t, err)
	require.Equal(t, clientmeta.Document{"client_id": json.RawMessage(`"bare"`)}, view)
}

// A redacted client keeps which secrets there are, and the client itself is not
// changed.
func TestRedact_KeepsTheClient(t *testing.T) {
	t.Parallel()
	c := app()
	redacted := clientmeta.Redact(&c)
	require.Empty(t, redacted.SharedKey)
	require.Equal(t, clientmeta.SecretID(c.Secrets[0]), redacted.Secrets[0].Hash)
	require.Equal(t, app(), c)
}

// An entity tag differs when any member does.
func TestETag_NamesTheState(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	for _, change := range []func(*storage.Client){
		func(*storage.Client) {},
		func(c *storage.Client) { c.Secrets[0] = storage.HashSecret("another") },
		func(c *storage.Client) { c.GrantTypes = []string{} },
		func(c *storage.Client) { c.Disabled = true },
	} {
		c := app()
		change(&c)
		tag, err := clientmeta.ETag(&c)
		require.NoError(t, err)
		require.Regexp(t, `^"[A-Za-z0-9_-]{22}"$`, tag)
		require.False(t, tags[tag])
		tags[tag] = true
	}
}

// Changes are named as the members of the JSON are.
func TestChanged_NamesMembers(t *testing.T) {
	t.Parallel()
	before, after := app(), app()
	require.Empty(t, clientmeta.Changed(&before, &after))

	after.Name = ""
	after.GrantTypes = []string{}
	after.Scope = []string{"read"}
	after.RequirePKCE = true
	require.Equal(t, []string{"client_name", "grant_types", "require_pkce", "scope"}, clientmeta.Changed(&before, &after))
	require.Nil(t, clientmeta.Changed(nil, &after))
	require.Nil(t, clientmeta.Changed(&before, nil))
}

// What is read is what is written, and an unknown member is refused by name.
func TestRead_TakesTheClientsOwnJSON(t *testing.T) {
	t.Parallel()
	c := app()
	text, err := c.MarshalJSON()
	require.NoError(t, err)
	read, err := clientmeta.Read(document(t, string(text)))
	require.NoError(t, err)
	require.Equal(t, c, read)

	for text, want := range map[string]string{
		`{"client_id":"a","redirect_uri":"x"}`: `"redirect_uri": there is no such member`,
		`{"client_id":"a","scope":["x"]}`:      "scope: is array in JSON",
		`{"client_id":1}`:                      "client_id: ",
	} {
		_, err := clientmeta.Read(document(t, text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "storage")
	}
}

// Read-only members may be sent as they were shown, and not otherwise.
func TestEditable_KeepsReadOnlyMembers(t *testing.T) {
	t.Parallel()
	c := app()
	c.CreatedBy = "alice"
	shown, err := clientmeta.View(&c)
	require.NoError(t, err)

	editable, err := clientmeta.Editable(shown, shown)
	require.NoError(t, err)
	require.NotContains(t, editable, "secrets")
	require.NotContains(t, editable, "shared_key")
	require.Contains(t, editable, "client_name")
	require.Contains(t, shown, "secrets", "the document itself is not changed")

	for _, sent := range []string{
		`{"created_by":"bob"}`,
		`{"disabled":true}`,
		`{"secrets":[]}`,
		`{"shared_key":"eA=="}`,
		`{"tokens_not_before":"2020-01-01T00:00:00Z"}`,
	} {
		_, err := clientmeta.Editable(document(t, sent), shown)
		require.ErrorContains(t, err, "is read-only here", sent)
	}
	for _, sent := range []string{`{}`, `{"disabled":null}`, `{"client_name":"x"}`, `{"created_by":"alice"}`} {
		_, err := clientmeta.Editable(document(t, sent), shown)
		require.NoError(t, err, sent)
	}
}

// A new client may be disabled and has nothing else that is read-only.
func TestCheckNew_NamesTheMember(t *testing.T) {
	t.Parallel()
	require.NoError(t, clientmeta.CheckNew(document(t, `{"client_id":"a","disabled":true}`)))
	require.ErrorContains(t, clientmeta.CheckNew(document(t, `{"created_by":"a"}`)), "created_by: is read-only")
}

// Every reason is there, by member, on one line.
func TestCheck_NamesEveryMember(t *testing.T) {
	t.Parallel()
	c := storage.Client{
		ID:      "a",
		Secrets: []storage.Secret{{Hash: "$2a$99$x"}},
		Origins: []string{"*"},
	}
	err := clientmeta.Check(&c)
	require.ErrorContains(t, err, "origins: ")
	require.ErrorContains(t, err, "redirect_uris: ")
	require.ErrorContains(t, err, "secrets: a hash is malformed")
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "$2a$")

	c = storage.Client{ID: "a", GrantTypes: []string{}, Secrets: []storage.Secret{storage.HashSecret(secret)}}
	require.NoError(t, clientmeta.Check(&c))
}

// A client is given the credentials that its method needs, once.
func TestFillCredentials_ByMethod(t *testing.T) {
	t.Parallel()
	for method, has := range map[string][2]int{
		"":                           {1, 0},
		storage.AuthClientSecretPost: {1, 0},
		storage.AuthClientSecretJWT:  {0, 43},
		storage.AuthPrivateKeyJWT:    {0, 0},
		storage.AuthNone:             {0, 0},
	} {
		c := storage.Client{ID: "a", AuthMethod: method}
		plain := clientmeta.FillCredentials(&c)
		require.Equal(t, has, [2]int{len(c.Secrets), len(c.SharedKey)}, method)
		require.Equal(t, has != [2]int{}, plain != "", method)
		if len(c.Secrets) > 0 {
			require.Equal(t, storage.HashSecret(plain), c.Secrets[0])
		}
		if len(c.SharedKey) > 0 {
			require.Equal(t, plain, string(c.SharedKey))
		}
		require.Empty(t, clientmeta.FillCredentials(&c), "a second time makes nothing")
	}
}

// What is exported is read as the same clients, plain keys only if they are
// asked for.
func TestExport_RoundTrip(t *testing.T) {
	t.Parallel()
	machine := storage.Client{
		ID:                  "machine",
		Secrets:             []storage.Secret{storage.HashSecret(secret)},
		GrantTypes:          []string{"client_credentials"},
		AccessTokenLifetime: time.Hour,
	}
	signer := machine
	signer.ID = "signer"
	signer.AuthMethod = storage.AuthClientSecretJWT
	signer.Secrets = nil
	signer.SharedKey = []byte(secret)
	all := []storage.Client{machine, signer}

	_, err := clientmeta.NewExport(all, "", false)
	require.ErrorContains(t, err, "signer has a plain shared key")
	export, err := clientmeta.NewExport(all, "signer", true)
	require.NoError(t, err)
	require.Equal(t, "plain", export.Secrets)
	text, err := json.Marshal(export)
	require.NoError(t, err)

	docs, err := clientmeta.OpenExport(document(t, string(text)))
	require.NoError(t, err)
	read, err := clientmeta.ReadAll(docs)
	require.NoError(t, err)
	require.Equal(t, all, read)

	empty, err := clientmeta.NewExport(nil, "", false)
	require.NoError(t, err)
	require.Equal(t, "hashed", empty.Secrets)
	text, err = json.Marshal(empty)
	require.NoError(t, err)
	require.Contains(t, string(text), `"clients":[]`)
}

// An export of another form, and one with a client that is not valid, is
// refused.
func TestExport_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "format: ",
		`{"format":"grantwell.clients.v1","clients":[]}`:                                      "format: ",
		`{"format":"grantwell.clients.v2"}`:                                                   "clients: ",
		`{"format":"grantwell.clients.v2","clients":{}}`:                                      "clients: ",
		`{"format":"grantwell.clients.v2","clients":[],"x":1}`:                                `"x": there is no such member`,
		`{"format":"grantwell.clients.v2","clients":[` + strings.Repeat("{},", 1000) + `{}]}`: "clients: ",
	} {
		_, err := clientmeta.OpenExport(document(t, text))
		require.ErrorContains(t, err, want, text)
	}

	one := `{"client_id":"new","grant_types":[],"secrets":[{"hash":"` + storage.HashSecret(secret).Hash + `"}]}`
	for list, want := range map[string]string{
		`null`:            "client 1 of the document: ",
		one + `,` + one:   "client 2 of the document: client_id: is in the document twice",
		one + `,{}`:       "client 2 of the document: client_id: ",
		`{"client_id":1}`: "client 1 of the document: client_id: ",
	} {
		docs, err := clientmeta.OpenExport(document(t, `{"format":"grantwell.clients.v2","clients":[`+list+`]}`))
		require.NoError(t, err)
		_, err = clientmeta.ReadAll(docs)
		require.ErrorContains(t, err, want, list)
	}
}
