package storage_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// documented has a value of each type that differs between Go and JSON.
func documented() storage.Client {
	return storage.Client{
		ID:                   "app",
		Secrets:              []storage.Secret{{Hash: "sha256:x", ExpiresAt: time.Unix(1_700_000_000, 0).UTC()}},
		JWKS:                 json.RawMessage(`{"keys":[{"kid":"<&>"}]}`),
		SharedKey:            []byte("key"),
		GrantTypes:           []string{"authorization_code"},
		RedirectURIs:         []string{"https://app.example/cb?a=1&b=2"},
		Scope:                []string{"read", "write"},
		DefaultScope:         []string{"read"},
		AccessTokenLifetime:  time.Hour,
		RefreshTokenLifetime: 400 * 24 * time.Hour,
		CodeLifetime:         1500 * time.Millisecond,
		Metadata:             map[string]string{"A": "b"},
	}
}

// The document is flat, in the names and types of RFC 7591 section 2.
func TestClientJSON_HasTheTypesOfRFC7591(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(documented(), "", "\t")
	require.NoError(t, err)

	golden, err := os.ReadFile("testdata/client.json")
	require.NoError(t, err)
	require.JSONEq(t, string(golden), string(text))

	var read storage.Client
	require.NoError(t, json.Unmarshal(golden, &read))
	require.Equal(t, documented(), read)

	pointed, err := json.Marshal(&read)
	require.NoError(t, err)
	require.JSONEq(t, string(golden), string(pointed), "a pointer has the same form as a value")
}

// A client that uses no grant differs from one that did not say.
func TestClientJSON_NoGrantIsNotTheDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		grants []string
		code   bool
	}{
		{`{"client_id":"a"}`, nil, true},
		{`{"client_id":"a","grant_types":null}`, nil, true},
		{`{"client_id":"a","grant_types":[]}`, []string{}, false},
		{`{"client_id":"a","grant_types":["refresh_token"]}`, []string{"refresh_token"}, false},
	} {
		var read storage.Client
		require.NoError(t, json.Unmarshal([]byte(c.text), &read), c.text)
		require.Equal(t, c.grants, read.GrantTypes, c.text)
		require.Equal(t, c.code, read.AllowsGrant("authorization_code"), c.text)
		require.Equal(t, c.code, read.AllowsResponse("code"), c.text)

		again, err := json.Marshal(read)
		require.NoError(t, err)
		var second storage.Client
		require.NoError(t, json.Unmarshal(again, &second))
		require.True(t, read.Equal(&second), c.text)
		require.Equal(t, read, second.Clone(), c.text)
	}

	unsaid := storage.Client{ID: "a"}
	none := storage.Client{ID: "a", GrantTypes: []string{}}
	require.False(t, unsaid.Equal(&none))
}

// A document with a name that is unknown, spelled otherwise or there twice is
// refused, and the error has the name. A wrong type names the member too.
func TestClientJSON_RefusesWhatIsNotExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"client_id":"a","CLIENT_ID":"b"}`:                    `"CLIENT_ID"`,
		`{"client_id":"a","client\u005fid":"b"}`:               `"client_id": the member occurs twice`,
		`{"client_id":"a","redirect_uri":"https://a.example"}`: `"redirect_uri": there is no such member`,
		`{"client_id":"a","client_id":"a"}`:                    "twice",
		`{"metadata":{"a":"1","a":"2"}}`:                       `"a": the member occurs twice`,
		`{"jwks":{"keys":[{"kty":"RSA","kty":"EC"}]}}`:         `"kty": the member occurs twice`,
		`{"secrets":[{"hash":"x"},{"hash":"x","HASH":"y"}]}`:   `"HASH"`,
		`{"secrets":[{"hash":"x","note":"y"}]}`:                `"note"`,
		`{"secrets":{"hash":"x"}}`:                             "client secrets: ",
		`{"scope":["read"]}`:                                   "client scope: is array",
		`{"default_scope":7}`:                                  "client default_scope: ",
		`{"access_token_lifetime":"60"}`:                       "client access_token_lifetime: is string",
		`{"refresh_token_lifetime":1e3}`:                       "client refresh_token_lifetime: ",
		`{"code_lifetime":99999999999999}`:                     "client code_lifetime: ",
		`{"code_lifetime":true}`:                               "client code_lifetime: ",
		`{"require_pkce":"yes"}`:                               "client require_pkce: is string in JSON, and needs to be true or false",
		`{"contacts":"a"}`:                                     "client contacts: ",
		`{"secrets":[{"hash":1}]}`:                             "client secrets.hash: ",
		`{"metadata":[]}`:                                      "client metadata: is array in JSON, and needs to be an object",
		`{"created_at":"yesterday"}`:                           "malformed",
		`{"shared_key":"?"}`:                                   "malformed",
		`{"client_name":"` + "\xff" + `"}`:                     "UTF-8",
		`null`:                                                 "not a JSON object",
		`[]`:                                                   "not a JSON object",
		`"app"`:                                                "not a JSON object",
		`7`:                                                    "not a JSON object",
		`{"` + strings.Repeat("x", 1000) + `":1}`:              "no such member",
		`{ "client_id" : "a" , "contacts" : [ "x" , "y" ] , "x":1}`: `"x"`,
	} {
		read := storage.Client{ID: "before"}
		err := json.Unmarshal([]byte(text), &read)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "storage: client", text)
		require.Less(t, len(err.Error()), 200, "the error is bounded")
		require.Equal(t, storage.Client{ID: "before"}, read, "nothing is changed by a document that is refused")
	}
}

// A lifetime is a number of seconds, exact to the nanosecond.
func TestClientJSON_LifetimesAreSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Second:             "1",
		time.Hour:               "3600",
		1500 * time.Millisecond: "1.5",
		1:                       "0.000000001",
		time.Second + 10:        "1.00000001",
		-time.Second - 1:        "-1.000000001",
		1<<63 - 1:               "9223372036.854775807",
		-1 << 63:                "-9223372036.854775808",
	} {
		c := storage.Client{ID: "a", CodeLifetime: d}
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.JSONEq(t, `{"client_id":"a","code_lifetime":`+want+`}`, string(text))

		var read storage.Client
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, d, read.CodeLifetime)
	}
}

// Every field of a client is in its JSON, under a name of its own and in the
// types of RFC 7591. Structs that are embedded in Client have no methods of
// their own, which would replace the client's.
func TestClientJSON_EveryFieldHasAName(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[storage.Client]()) {
		if f.Anonymous {
			require.Zero(t, f.Type.NumMethod(), f.Name)
			require.Zero(t, reflect.PointerTo(f.Type).NumMethod(), f.Name)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		require.True(t, f.IsExported() && name != "" && name != "-", f.Name)
		require.False(t, names[name], name)
		names[name] = true
		if f.Type != reflect.TypeFor[time.Duration]() {
			continue
		}

		// A duration that clientjson.go does not name would be nanoseconds.
		var c storage.Client
		reflect.ValueOf(&c).Elem().FieldByIndex(f.Index).SetInt(int64(time.Minute))
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.JSONEq(t, `{"client_id":"","`+name+`":60}`, string(text))
	}
}

// Whatever is read as a client is written and read as the same client.
func FuzzClientJSON(f *testing.F) {
	golden, err := os.ReadFile("testdata/client.json")
	require.NoError(f, err)
	f.Add(golden)
	f.Add([]byte(`{"client_id":"a","grant_types":[],"metadata":{"":"\u0000"}}`))
	f.Add([]byte(` { "secrets" : [ {} , { "hash" : "x" } ] , "jwks" : [ [ ] , -1.5e3 , null ] } `))
	f.Add([]byte(`{"client\u005fid":"a"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var read storage.Client
		if read.UnmarshalJSON(text) != nil {
			return
		}
		written, err := read.MarshalJSON()
		require.NoError(t, err)
		var again storage.Client
		require.NoError(t, again.UnmarshalJSON(written), "%s", written)
		require.True(t, read.Equal(&again), "%s", written)
	})
}

func BenchmarkClientJSON_Read(b *testing.B) {
	text, err := documented().MarshalJSON()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		var c storage.Client
		if err := c.UnmarshalJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}
