package grantwell_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// clientFields are the fields of a client, those of embedded structs included.
func clientFields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[storage.Client]()), func(f reflect.StructField) bool { return f.Anonymous })
}

// anyClient fills every field of a client, by its type, with something that registration takes. A new field is filled
// too, and one of a type that is not known here fails the test: nothing can be forgotten by an export.
func anyClient(t *testing.T, r *rand.Rand, i int) storage.Client {
	t.Helper()
	var c storage.Client
	v := reflect.ValueOf(&c).Elem()
	for _, field := range clientFields() {
		name := field.Name
		switch p := v.FieldByIndex(field.Index).Addr().Interface().(type) {
		case *string:
			*p = anyText(r)
		case *bool:
			*p = r.IntN(2) == 0
		case *[]string:
			for range r.IntN(4) {
				*p = append(*p, anyText(r))
			}
			if r.IntN(8) == 0 {
				*p = []string{}
			}
		case *[]byte:
			*p = make([]byte, 32+r.IntN(40))
			for n := range *p {
				(*p)[n] = byte(r.Uint32())
			}
		case *time.Duration:
			*p = time.Duration(r.Int64N(int64(10 * time.Minute)))
		case *time.Time:
			*p = anyTime(r)
		case *map[string]string:
			*p = map[string]string{}
			for range r.IntN(4) {
				(*p)[anyText(r)] = anyText(r)
			}
		case *json.RawMessage:
			*p = json.RawMessage(`{"keys": [ {"kty":"RSA","kid":"<é&\u2028>", "n":1e400} ]}`)
		case *[]storage.Secret:
			for range 1 + r.IntN(2) {
				*p = append(*p, storage.Secret{Hash: storage.HashSecret(anyText(r)).Hash, ExpiresAt: anyTime(r)})
			}
		default:
			require.Fail(t, "the field "+name+" has a type that this test cannot fill")
		}
	}
	// What registration demands; an alias has nothing of all this.
	c.AliasOf = ""
	c.ID = fmt.Sprintf("%c id/%d", ' '+1+rune(r.IntN(90)), i)
	c.AuthMethod = []string{"", storage.AuthClientSecretBasic, storage.AuthClientSecretPost, storage.AuthClientSecretJWT, storage.AuthPrivateKeyJWT, storage.AuthTLS}[r.IntN(6)]
	c.RedirectURIs, c.Origins = []string{"https://app.example/cb?a=1&b=<2>"[:29], "com.example:/x"}, []string{"https://app.example:1"}
	c.Scope = []string{"b", "a<&>"}
	c.DefaultScope = c.Scope[:r.IntN(3)]
	c.AccessTokenFormat = []string{"", "jwt", "opaque"}[r.IntN(3)]
	if r.IntN(2) == 0 {
		c.JWKS = nil
		c.JWKSURI = "https://app.example/jwks"
	} else {
		c.JWKSURI = ""
	}
	require.NoError(t, c.Validate())
	return c
}

func anyText(r *rand.Rand) string {
	all := []string{"", "a", "é", "\U0001F642", "\u2028", "<script>", `"quoted\"`, "two\nlines", "\x00", "&amp;", strings.Repeat("x", 300)}
	return all[r.IntN(len(all))] + all[r.IntN(len(all))]
}

func anyTime(r *rand.Rand) time.Time {
	if r.IntN(4) == 0 {
		return time.Time{}
	}
	return time.Unix(r.Int64N(8e9), r.Int64N(1e9)).In(time.FixedZone("", (r.IntN(27)-12)*3600+r.IntN(2)*1800))
}

// sameField compares as the stores promise: times as instants, keys as JSON, nil as empty.
func sameField(t *testing.T, name string, want, got reflect.Value) {
	t.Helper()
	switch w := want.Interface().(type) {
	case time.Time:
		require.True(t, w.Equal(got.Interface().(time.Time)), name)
	case []storage.Secret:
		g := got.Interface().([]storage.Secret)
		require.Len(t, g, len(w), name)
		for i := range w {
			require.Equal(t, w[i].Hash, g[i].Hash, name)
			require.True(t, w[i].ExpiresAt.Equal(g[i].ExpiresAt), name)
		}
	case json.RawMessage:
		var a, b bytes.Buffer
		_, _ = json.Compact(&a, w), json.Compact(&b, got.Interface().(json.RawMessage))
		require.Equal(t, a.String(), b.String(), name)
	default:
		if k := want.Kind(); (k == reflect.Slice || k == reflect.Map) && want.Len() == 0 {
			require.Zero(t, got.Len(), name)
			return
		}
		require.Equal(t, want.Interface(), got.Interface(), name)
	}
}

// What is exported and imported is equal in every field, for clients of every kind, through documents of every size.
// Holds S143.
func TestAdmin_ExportAndImportAreEqual(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	from, to := newOffice(t, nil), newOffice(t, nil)
	want := map[string]storage.Client{}
	for _, c := range testClients() {
		want[c.ID] = c
	}
	set := map[string]bool{}
	for i := range 300 {
		c := anyClient(t, r, i)
		if i%10 == 0 {
			c = storage.Client{ID: storage.ExternalID("https://idp.example", c.ID), AuthMethod: storage.AuthExternal, AliasOf: "conf", Name: c.Name,
				Disabled: c.Disabled, CreatedAt: c.CreatedAt, TokensNotBefore: c.TokensNotBefore, Metadata: c.Metadata}
		}
		require.NoError(t, from.store.PutClient(t.Context(), c))
		want[c.ID] = c
		v := reflect.ValueOf(c)
		for _, f := range clientFields() {
			set[f.Name] = set[f.Name] || !v.FieldByIndex(f.Index).IsZero()
		}
	}
	require.Len(t, set, len(clientFields()))
	for name, ever := range set {
		require.True(t, ever, "%s was never set", name)
	}
	for after := ""; ; {
		page := from.ask("GET", fmt.Sprintf("/export?shared_keys=include&limit=%d&after=%s", 1+r.IntN(100), url.QueryEscape(after)), "")
		require.Equal(t, 200, page.status, page.body)
		res := to.ask("POST", "/import?existing=replace", page.body)
		require.Equal(t, 200, res.status, res.body)
		require.EqualValues(t, len(page.list(t, "clients")), res.json["imported"])
		if after = page.str("next"); after == "" {
			break
		}
	}
	list, err := to.store.ListClients(t.Context(), "", 1000)
	require.NoError(t, err)
	require.Len(t, list, len(want))
	for _, got := range list {
		w, g := reflect.ValueOf(want[got.ID]), reflect.ValueOf(got)
		for _, f := range clientFields() {
			sameField(t, got.ID+" "+f.Name, w.FieldByIndex(f.Index), g.FieldByIndex(f.Index))
		}
		original, err := from.store.Client(t.Context(), got.ID)
		require.NoError(t, err)
		require.True(t, original.Equal(&got))
	}
}

// No field of a client is left out of its JSON, by which stores and exports keep it.
// Holds S143.
func TestClient_EveryFieldHasAName(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[storage.Client](), reflect.TypeFor[storage.Secret]()} {
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous {
				continue
			}
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			require.True(t, f.IsExported() && name != "" && name != "-", f.Name)
			require.False(t, names[name], name)
			names[name] = true
			if f.Type == reflect.TypeFor[time.Time]() {
				require.Equal(t, "omitzero", options, f.Name)
			}
		}
	}
}

// A plain key is exported only if the administrator says so, and the document says what it gives away.
// Holds S143.
func TestAdmin_ExportOfPlainKeysIsAsked(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	hashed := o.ask("GET", "/export", "")
	require.Equal(t, "hashed", hashed.str("secrets"))
	require.NotContains(t, hashed.body, secret)
	require.Equal(t, 201, o.ask("POST", "/clients", `{"client_id":"hs","token_endpoint_auth_method":"client_secret_jwt","grant_types":["client_credentials"]}`).status)
	o.ask("GET", "/export", "").fails(t, 409, "conflict")
	plain := o.ask("GET", "/export?shared_keys=include", "")
	require.Equal(t, "plain", plain.str("secrets"))
	c, err := o.store.Client(t.Context(), "hs")
	require.NoError(t, err)
	require.Contains(t, plain.body, base64.StdEncoding.EncodeToString(c.SharedKey))
}

// An import checks all before it stores anything, and overwrites only if it is told to.
// Holds S143.
func TestAdmin_ImportIsAllChecked(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	document := o.ask("GET", "/export", "").body
	o.ask("POST", "/import", document).fails(t, 409, "conflict")
	require.Equal(t, 200, o.ask("POST", "/clients/conf/disable", "").status)
	res := o.ask("POST", "/import?existing=skip", document)
	require.Equal(t, []any{0.0, 4.0}, []any{res.json["imported"], res.json["skipped"]}, res.body)
	c, err := o.store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.True(t, c.Disabled)
	require.Equal(t, 204, o.ask("DELETE", "/clients/other", "").status)
	res = o.ask("POST", "/import?existing=replace", document)
	require.Equal(t, []any{4.0, 0.0}, []any{res.json["imported"], res.json["skipped"]}, res.body)
	c, err = o.store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.False(t, c.Disabled)

	one := `{"client_id":"new","grant_types":["client_credentials"],"secrets":[{"hash":"` + storage.HashSecret(secret).Hash + `"}]}`
	for body, code := range map[string]string{
		`{"clients":[]}`: "invalid_request",
		`{"format":"grantwell.clients.v1","clients":[]}`:                                                                          "invalid_request",
		`{"format":"grantwell.clients.v2"}` + one:                                                                                 "invalid_request",
		`{"format":"grantwell.clients.v2","clients":[],"x":1}`:                                                                    "invalid_request",
		`{"format":"grantwell.clients.v2","clients":{}}`:                                                                          "invalid_request",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,{}]}`:                                                            "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + one + `]}`:                                                   "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,null]}`:                                                          "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + strings.Replace(one, `"hash"`, `"plain"`, 1) + `]}`:          "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + strings.Replace(one, `"hash"`, `"note":"x","hash"`, 1) + `]}`:            "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + strings.Replace(one, `"client_id"`, `"client_Id"`, 1) + `]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + strings.Repeat(one+",", 1000) + one + `]}`:                               "invalid_request",
	} {
		o.ask("POST", "/import", body).fails(t, 400, code)
		_, err := o.store.Client(t.Context(), "new")
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	require.Equal(t, 200, o.ask("POST", "/import", `{"format":"grantwell.clients.v2","clients":[`+one+`]}`).status)
	require.Equal(t, 200, o.ask("POST", "/import", `{"format":"grantwell.clients.v2","clients":[]}`).status)
	require.Equal(t, 413, o.ask("POST", "/import", strings.Repeat(" ", 16<<20+1)).status)
}

// Whatever is sent as a client or a document is answered without a fault of ours.
func FuzzAdminBody(f *testing.F) {
	f.Add("/clients", newApp)
	f.Add("/import?existing=replace", `{"format":"grantwell.clients.v2","secrets":"hashed","clients":[{"client_id":"a","created_at":"2020-01-01T00:00:00Z","shared_key":"eA==","secrets":[{"hash":"$2a$10$x"}]}]}`)
	f.Add("/clients/conf/secret", `{"overlap_seconds":60}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		if !slices.Contains([]string{"/clients", "/import?existing=replace", "/clients/conf/secret"}, path) {
			path = "/clients"
		}
		o := newOffice(t, nil)
		res := o.ask("POST", path, body)
		require.Less(t, res.status, 500, res.body)
		require.NotNil(t, res.json, res.body)
	})
}
