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

	"github.com/grantwell/grantwell/internal/base/visible"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// clientFields are the fields of a client, those of the structs that it embeds for one
// specification each among them.
func clientFields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[storage.Client]()),
		func(f reflect.StructField) bool { return f.Anonymous })
}

// anyClient fills every field of a client, by its type, with a value that
// registration takes. A new field of a known type is filled too. A field of an
// unknown type fails the test, so that an export cannot forget it.
func anyClient(t *testing.T, r *rand.Rand, i int) storage.Client {
	t.Helper()
	var c storage.Client
	v := reflect.ValueOf(&c).Elem()
	for _, f := range clientFields() {
		name := f.Name
		switch p := v.FieldByIndex(f.Index).Addr().Interface().(type) {
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
				*p = append(*p, storage.Secret{
					Hash:      storage.HashSecret(anyText(r)).Hash,
					ExpiresAt: anyTime(r),
				})
			}
		default:
			require.Fail(t, "the field "+name+" has a type that this test cannot fill")
		}
	}
	// What registration demands. An alias has none of it.
	c.AliasOf = ""
	c.ID = fmt.Sprintf("%c id/%d", ' '+1+rune(r.IntN(90)), i)
	c.AuthMethod = []string{"", storage.AuthClientSecretBasic, storage.AuthClientSecretPost,
		storage.AuthClientSecretJWT, storage.AuthPrivateKeyJWT, storage.AuthTLS}[r.IntN(6)]
	c.RedirectURIs = []string{"https://app.example/cb?a=1&b=<2>"[:29], "com.example:/x"}
	c.Origins = []string{"https://app.example:1"}
	c.Scope = []string{"b", "a<&>"}
	c.DefaultScope = c.Scope[:r.IntN(3)]
	c.Name = visible.Only(c.Name)
	c.Description = visible.Only(c.Description)
	c.AccessTokenFormat = []string{"", "jwt", "opaque"}[r.IntN(3)]
	c.RefreshRetryWindow = time.Duration(r.IntN(300)) * time.Second
	if r.IntN(2) == 0 {
		c.JWKS = nil
		c.JWKSURI = "https://app.example/jwks"
	} else {
		c.JWKSURI = ""
	}
	require.NoError(t, c.Validate())
	return c
}

// anyText returns a random text, often one that needs escapes.
func anyText(r *rand.Rand) string {
	all := []string{"", "a", "é", "\U0001F642", "\u2028", "<script>", `"quoted\"`, "two\nlines",
		"\x00", "&amp;", strings.Repeat("x", 300)}
	return all[r.IntN(len(all))] + all[r.IntN(len(all))]
}

// anyTime returns the zero time or a random time.
func anyTime(r *rand.Rand) time.Time {
	if r.IntN(4) == 0 {
		return time.Time{}
	}
	return time.Unix(r.Int64N(8e9), r.Int64N(1e9)).In(time.FixedZone("",
		(r.IntN(27)-12)*3600+r.IntN(2)*1800))
}

// sameField compares two fields as stores promise to keep them: times as
// instants, keys as JSON, and nil as empty.
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

// A registry that was exported and imported is equal in every field, for
// clients of every kind and pages of every size.
//
// Holds: house: export and import.
func TestAdmin_ExportAndImportAreEqual(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	from, to := servertest.NewAdmin(t, nil), servertest.NewAdmin(t, nil)
	want := map[string]storage.Client{}
	for _, c := range servertest.Clients() {
		want[c.ID] = c
	}
	set := map[string]bool{}
	for i := range 300 {
		c := anyClient(t, r, i)
		if i%10 == 0 {
			c = storage.Client{
				ID:              storage.ExternalID("https://idp.example", c.ID),
				AuthMethod:      storage.AuthExternal,
				AliasOf:         "conf",
				Name:            c.Name,
				Disabled:        c.Disabled,
				CreatedAt:       c.CreatedAt,
				TokensNotBefore: c.TokensNotBefore,
				Metadata:        c.Metadata,
			}
		}
		require.NoError(t, from.Store.PutClient(t.Context(), c))
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
		page := from.Admin("GET",
			fmt.Sprintf("/export?shared_keys=include&limit=%d&after=%s", 1+r.IntN(100),
				url.QueryEscape(after)), "")
		require.Equal(t, 200, page.Status, page.Body)
		res := to.Admin("POST", "/import?existing=replace", page.Body)
		require.Equal(t, 200, res.Status, res.Body)
		require.EqualValues(t, len(page.List(t, "clients")), res.JSON["imported"])
		if after = page.String("next"); after == "" {
			break
		}
	}
	list, err := to.Store.ListClients(t.Context(), "", 1000)
	require.NoError(t, err)
	require.Len(t, list, len(want))
	for _, got := range list {
		w, g := reflect.ValueOf(want[got.ID]), reflect.ValueOf(got)
		for _, f := range clientFields() {
			sameField(t, got.ID+" "+f.Name, w.FieldByIndex(f.Index), g.FieldByIndex(f.Index))
		}
		original, err := from.Store.Client(t.Context(), got.ID)
		require.NoError(t, err)
		require.True(t, original.Equal(&got))
	}
}

// Every field of a client has a name in its JSON, which stores and exports
// keep.
//
// Holds: house: export and import.
func TestClient_EveryFieldHasAName(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[storage.Client](),
		reflect.TypeFor[storage.Secret]()} {
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

// Plain shared keys are exported only when the administrator asks for them,
// and the document says that it holds them.
//
// Holds: house: export and import.
func TestAdmin_ExportOfPlainKeysMustBeRequested(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	hashed := o.Admin("GET", "/export", "")
	require.Equal(t, "hashed", hashed.String("secrets"))
	require.NotContains(t, hashed.Body, servertest.Secret)
	require.Equal(t, 201, o.Admin("POST", "/clients",
		`{"client_id":"hs","token_endpoint_auth_method":"client_secret_jwt","grant_types":["client_credentials"]}`).Status)
	o.Admin("GET", "/export", "").Fails(t, 409, "conflict")
	plain := o.Admin("GET", "/export?shared_keys=include", "")
	require.Equal(t, "plain", plain.String("secrets"))
	c, err := o.Store.Client(t.Context(), "hs")
	require.NoError(t, err)
	require.Contains(t, plain.Body, base64.StdEncoding.EncodeToString(c.SharedKey))
}

// An import checks the whole document before it stores a client, and replaces
// existing clients only on request.
//
// Holds: house: export and import.
func TestAdmin_ImportChecksAllBeforeItStores(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	document := o.Admin("GET", "/export", "").Body
	o.Admin("POST", "/import", document).Fails(t, 409, "conflict")
	require.Equal(t, 200, o.Admin("POST", "/clients/conf/disable", "").Status)
	res := o.Admin("POST", "/import?existing=skip", document)
	require.Equal(t, []any{0.0, 4.0}, []any{res.JSON["imported"], res.JSON["skipped"]}, res.Body)
	c, err := o.Store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.True(t, c.Disabled)
	require.Equal(t, 204, o.Admin("DELETE", "/clients/other", "").Status)
	res = o.Admin("POST", "/import?existing=replace", document)
	require.Equal(t, []any{4.0, 0.0}, []any{res.JSON["imported"], res.JSON["skipped"]}, res.Body)
	c, err = o.Store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.False(t, c.Disabled)

	one := `{"client_id":"new","grant_types":["client_credentials"],"secrets":[{"hash":"` +
		storage.HashSecret(servertest.Secret).Hash + `"}]}`
	for body, code := range map[string]string{
		`{"clients":[]}`: "invalid_request",
		`{"format":"grantwell.clients.v1","clients":[]}`: "invalid_request",
		`{"format":"grantwell.clients.v2"}` +
			one: "invalid_request",
		`{"format":"grantwell.clients.v2","clients":[],"x":1}`: "invalid_request",
		`{"format":"grantwell.clients.v2","clients":{}}`:       "invalid_request",
		`{"format":"grantwell.clients.v2","clients":[` + one +
			`,{}]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + one +
			`]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one +
			`,null]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + strings.Replace(one, `"hash"`,
			`"plain"`, 1) + `]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + strings.Replace(one, `"hash"`,
			`"note":"x","hash"`, 1) + `]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + one + `,` + strings.Replace(one,
			`"client_id"`, `"client_Id"`, 1) + `]}`: "invalid_client_metadata",
		`{"format":"grantwell.clients.v2","clients":[` + strings.Repeat(one+",",
			1000) + one + `]}`: "invalid_request",
	} {
		o.Admin("POST", "/import", body).Fails(t, 400, code)
		_, err := o.Store.Client(t.Context(), "new")
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	require.Equal(t, 200, o.Admin("POST", "/import",
		`{"format":"grantwell.clients.v2","clients":[`+one+`]}`).Status)
	require.Equal(t, 200, o.Admin("POST", "/import",
		`{"format":"grantwell.clients.v2","clients":[]}`).Status)
	require.Equal(t, 413, o.Admin("POST", "/import", strings.Repeat(" ", 16<<20+1)).Status)
}

// No body that is sent as a client or as a document is answered with a server
// error.
func FuzzAdminBody(f *testing.F) {
	f.Add("/clients", newApp)
	f.Add("/import?existing=replace",
		`{"format":"grantwell.clients.v2","secrets":"hashed","clients":[{"client_id":"a","created_at":"2020-01-01T00:00:00Z","shared_key":"eA==","secrets":[{"hash":"$2a$10$x"}]}]}`)
	f.Add("/clients/conf/secret", `{"overlap_seconds":60}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		if !slices.Contains([]string{"/clients", "/import?existing=replace",
			"/clients/conf/secret"}, path) {
			path = "/clients"
		}
		o := servertest.NewAdmin(t, nil)
		res := o.Admin("POST", path, body)
		require.Less(t, res.Status, 500, res.Body)
		require.NotNil(t, res.JSON, res.Body)
	})
}
