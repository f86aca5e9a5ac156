package introspect_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// The JSON of an active token has every member. That of an inactive one is
// exactly {"active":false}, without its Reason.
//
// Holds: RFC 7662 section 2.2.
func TestToken_ResponseJSON(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 999)
	full := introspect.Token{
		Active: true, Scope: []string{"a", "b"}, ClientID: "c", Username: "u", TokenType: "Bearer", Subject: "s", Issuer: "i", ID: "j",
		Audience: []string{"x", "y"}, ExpiresAt: at, IssuedAt: at, NotBefore: at,
		Confirmation: map[string]string{"jkt": "k", "jwk": `{"kty":"OKP"}`}, Extra: map[string]any{"department": "sales"},
	}
	data, err := json.Marshal(&full)
	require.NoError(t, err)
	require.JSONEq(t, `{"active":true,"scope":"a b","client_id":"c","username":"u","token_type":"Bearer","sub":"s","iss":"i","jti":"j",
		"aud":["x","y"],"exp":1800000000,"iat":1800000000,"nbf":1800000000,"cnf":{"jkt":"k","jwk":{"kty":"OKP"}},"department":"sales"}`, string(data))

	back, err := introspect.ParseResponse(data)
	require.NoError(t, err)
	again, err := json.Marshal(*back)
	require.NoError(t, err)
	require.JSONEq(t, string(data), string(again))
	var viaJSON introspect.Token
	require.NoError(t, json.Unmarshal(data, &viaJSON))
	require.Equal(t, *back, viaJSON)

	full.Active, full.Reason = false, introspect.ReasonRevoked
	data, err = json.Marshal(full)
	require.NoError(t, err)
	require.Equal(t, `{"active":false}`, string(data))
}

// Extra can neither replace nor add a registered member.
//
// Holds: house: reserved claims.
func TestToken_ExtraOverwritesNothing(t *testing.T) {
	t.Parallel()
	extra := map[string]any{"x": 1}
	for _, name := range []string{"active", "scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "cnf"} {
		extra[name] = "forged"
	}
	data, err := json.Marshal(introspect.Token{Active: true, Subject: "alice", Extra: extra})
	require.NoError(t, err)
	require.JSONEq(t, `{"active":true,"sub":"alice","x":1}`, string(data))
}

// A response that RFC 7662 does not allow is an error.
//
// Holds: RFC 7523 section 3.
func TestParseResponse_HostileCorpus(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `null`, `[]`, `true`, `"active"`, `{`, `{}`, `{"active":null}`, `{"active":"true"}`, `{"active":1}`, `{"ACTIVE":true}`,
		`{"active":true}{"active":true}`, `{"active":true} x`, `{"active":false,"active":true}`, `{"active":true,"\u0061ctive":true}`,
		`{"active":true,"x":{"a":1,"a":2}}`, `{"active":true,"exp":"1"}`, `{"active":true,"exp":1.5}`, `{"active":true,"exp":1e308}`,
		`{"active":true,"exp":-1}`, `{"active":true,"exp":253402300800}`, `{"active":true,"exp":99999999999999999999}`, `{"active":true,"exp":null}`,
		`{"active":true,"aud":[]}`, `{"active":true,"aud":""}`, `{"active":true,"aud":[1]}`, `{"active":true,"aud":[null]}`, `{"active":true,"aud":{}}`,
		`{"active":true,"iss":["a"]}`, `{"active":true,"sub":1}`, `{"active":true,"sub":null}`, `{"active":true,"scope":["a"]}`, `{"active":true,"scope":"a\"b"}`,
		`{"active":true,"scope":"a\tb"}`, `{"active":true,"cnf":{}}`, `{"active":true,"cnf":"x"}`, `{"active":true,"cnf":null}`,
		"{\"active\":true,\"sub\":\"\xff\"}", `{"active":true,"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
		`{"active":true,"x":"` + strings.Repeat("a", 64<<10) + `"}`,
	} {
		_, err := introspect.ParseResponse([]byte(body))
		require.Error(t, err, "%.80s", body)
		require.True(t, strings.HasPrefix(err.Error(), "introspect: "))
	}
	got, err := introspect.ParseResponse([]byte(`{"active":false,"exp":"garbage","sub":1}`))
	require.NoError(t, err)
	require.Equal(t, &introspect.Token{Reason: introspect.ReasonUnknown}, got)
}

// A resource server compiles no authorization server: of other modules, the
// package reaches go-jose and singleflight only.
func TestPackage_ReachesFewModules(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	for path := range strings.FieldsSeq(string(out)) {
		ok := strings.HasPrefix(path, "github.com/go-jose/go-jose/v4") || path == "golang.org/x/sync/singleflight" || path == "github.com/grantwell/grantwell/introspect" || strings.HasPrefix(path, "github.com/grantwell/grantwell/internal/base/")
		require.True(t, ok, path)
	}
}
