package strictjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheck_RefusesWhatReadersDisagreeAbout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		limits Limits
		want   error
	}{
		"nothing":                {"", Limits{}, errSyntax},
		"white space only":       {" \n", Limits{}, errSyntax},
		"second value":           {`{} {}`, Limits{}, errSyntax},
		"comma behind":           {`{},`, Limits{}, errSyntax},
		"trailing comma":         {`{"a":1,}`, Limits{}, errSyntax},
		"comment":                {`{/**/}`, Limits{}, errSyntax},
		"byte order mark":        {"\xef\xbb\xbf{}", Limits{}, errSyntax},
		"NUL behind":             {"{}\x00", Limits{}, errSyntax},
		"leading zero":           {`{"a":01}`, Limits{}, errSyntax},
		"NaN":                    {`{"a":NaN}`, Limits{}, errSyntax},
		"not UTF-8":              {"{\"a\":\"\xff\"}", Limits{}, errUTF8},
		"surrogate in UTF-8":     {"{\"a\":\"\xed\xa0\x80\"}", Limits{}, errUTF8},
		"too long":               {`{"a":1}`, Limits{Size: 6}, errSize},
		"too deep":               {`[[[]]]`, Limits{Depth: 2}, errDepth},
		"too deep by default":    {strings.Repeat("[", 33) + strings.Repeat("]", 33), Limits{}, errDepth},
		"too many members":       {`{"a":1,"b":2}`, Limits{Members: 1}, errMembers},
		"too many elements":      {`{"a":[1,2,3]}`, Limits{Members: 2}, errMembers},
		"name twice":             {`{"a":1,"a":1}`, Limits{}, errRepeated},
		"name twice, escaped":    {`{"iss":1,"\u0069ss":1}`, Limits{}, errRepeated},
		"name twice, deep":       {`[{"x":{"b":0,"a":[],"b":0}}]`, Limits{}, errRepeated},
		"empty name twice":       {`{"":1,"":2}`, Limits{}, errRepeated},
		"two broken surrogates":  {`{"\ud800":1,"\ud801":2}`, Limits{}, errRepeated},
		"name twice among many":  {`{"n":0` + manyNames() + `,"n":0}`, Limits{}, errRepeated},
		"name twice after array": {`{"a":[{"a":1},"a"],"a":1}`, Limits{}, errRepeated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, Check([]byte(c.text), c.limits), c.want)
		})
	}
}

// manyNames returns 40 members.
func manyNames() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `,"m%d":{"n":0}`, i)
	}
	return b.String()
}

func TestCheck_AcceptsEveryValueWithinLimits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `"a"`, `-1.5e3`, " {} \n", `[]`, `[[],{}]`,
		`{"a":{"a":{"a":"a"}},"A":"a","b":["a","a",{"a":1}]}`,
		`{"a\"b":1,"a\\":2,"{":"}"}`,
		strings.Repeat("[", 32) + strings.Repeat("]", 32),
	} {
		require.NoError(t, Check([]byte(text), Limits{Size: 100, Members: 3}), text)
	}
}

func TestObject_KeepsNumbersAndRefusesOtherValues(t *testing.T) {
	t.Parallel()
	got, err := Object([]byte(`{"n":12345678901234567890,"l":[1.50,null,true],"o":{"s":"é"}}`), Limits{})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"n": json.Number("12345678901234567890"),
		"l": []any{json.Number("1.50"), nil, true},
		"o": map[string]any{"s": "é"},
	}, got)

	for _, text := range []string{`null`, `[]`, `"a"`, `1`} {
		_, err := Object([]byte(text), Limits{})
		require.ErrorIs(t, err, errObject, text)
		_, err = Members([]byte(text), Limits{})
		require.ErrorIs(t, err, errObject, text)
	}
}

func TestMembers_KeepsTheTextOfValues(t *testing.T) {
	t.Parallel()
	got, err := Members([]byte(`{"a": [1, 2] ,"B":"x"}`), Limits{})
	require.NoError(t, err)
	require.Equal(t, map[string]json.RawMessage{"a": json.RawMessage(`[1, 2]`), "B": json.RawMessage(`"x"`)}, got)
}

type inner struct {
	Name string `json:"name"`
}

type embedded struct {
	Shared string `json:"shared"`
}

type outer struct {
	embedded
	ID    string           `json:"id"`
	Times []time.Time      `json:"times"`
	List  []inner          `json:"list"`
	Map   map[string]inner `json:"map"`
	Ptr   *inner           `json:"ptr"`
	Any   any              `json:"any"`
	Skip  string           `json:"-"`
	Plain int
}

func TestDecode_ComparesNamesExactly(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{"id":"x","shared":"y","Plain":1,"unknown":{"ID":1}}`: true,
		`{"map":{"NAME":{"name":"n"}},"any":{"ID":1,"id":2}}`:  true,
		`{"Skip":"x","-":1}`:                   true,
		`{"times":["2026-01-02T03:04:05Z"]}`:   true,
		`{"ID":"x"}`:                           false,
		`{"Shared":"x"}`:                       false,
		`{"plain":1}`:                          false,
		`{"list":[{"name":"a"},{"Name":"b"}]}`: false,
		`{"map":{"a":{"nAme":"n"}}}`:           false,
		`{"ptr":{"NAME":"n"}}`:                 false,
		`{"ptr":{"name":"n","name":"n"}}`:      false,
		"{\"\u017fhared\":\"x\"}":              false, // folds to "shared"
	} {
		var v outer
		err := Decode([]byte(text), Limits{}, &v)
		require.Equal(t, ok, err == nil, "%s: %v", text, err)
	}
}

func TestDecodeKnown_RefusesUnknownNames(t *testing.T) {
	t.Parallel()
	var v outer
	require.NoError(t, DecodeKnown([]byte(`{"id":"x","ptr":{"name":"n"}}`), Limits{}, &v))
	require.Equal(t, "x", v.ID)
	require.Equal(t, "n", v.Ptr.Name)
	require.Error(t, DecodeKnown([]byte(`{"id":"x","other":1}`), Limits{}, &v))
	require.Error(t, DecodeKnown([]byte(`{"ptr":{"other":1}}`), Limits{}, &v))
}

func TestDecode_PassesOnTheTypeError(t *testing.T) {
	t.Parallel()
	var v outer
	var wrong *json.UnmarshalTypeError
	require.ErrorAs(t, DecodeKnown([]byte(`{"id":1}`), Limits{}, &v), &wrong)
	require.Equal(t, "id", wrong.Field)
}

func BenchmarkObject(b *testing.B) {
	text := []byte(`{"iss":"https://as.example","sub":"user-1","aud":"https://api.example","client_id":"c1","jti":"aaaaaaaaaaaaaaaa","scope":"read write","iat":1700000000,"exp":1700000600,"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(text, Limits{Depth: 16}); err != nil {
			b.Fatal(err)
		}
	}
}
