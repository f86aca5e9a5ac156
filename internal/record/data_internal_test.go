package record

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

func full() Data {
	return Data{RedirectURI: "https://app.example/cb?a=b&c=<d>", RedirectURIGiven: true, Challenge: "c", ChallengeMethod: "S256", Nonce: "n\u00e9", ID: "id",
		GrantType: "g", Claims: map[string]any{"a": "b"}, Confirmation: map[string]string{"jkt": "x"},
		AuthTime: 1, Consent: 2, FamilyEnd: 3, Retry: []byte("retry"), RetryUntil: 4, Kept: Kept(`{"par":{"a":[1]}}`)}
}

// No field is forgotten: each alone, and all together, come back as they went in, and as encoding/json reads and writes them.
func TestData_EveryFieldComesBack(t *testing.T) {
	t.Parallel()
	all := full()
	cases := []Data{{}, all}
	for i := range reflect.TypeFor[Data]().NumField() {
		var d Data
		from := reflect.ValueOf(all).Field(i)
		require.False(t, from.IsZero(), reflect.TypeFor[Data]().Field(i).Name)
		reflect.ValueOf(&d).Elem().Field(i).Set(from)
		cases = append(cases, d)
	}
	for _, d := range cases {
		text, err := d.Encode()
		require.NoError(t, err)
		got, err := Decode(storage.Record{Data: text})
		require.NoError(t, err)
		require.Equal(t, d, got)
		want, err := json.Marshal(d)
		require.NoError(t, err)
		if text == nil {
			text = []byte("{}")
		}
		require.JSONEq(t, string(want), string(text))
	}
	_, err := (&Data{Claims: map[string]any{"f": func() {}}}).Encode()
	require.ErrorContains(t, err, "claims")
}

// What the quick way reads, encoding/json reads too, and the same.
func FuzzDecodePlain_IsWhatEncodingJSONReads(f *testing.F) {
	d := full()
	d.Claims, d.Confirmation, d.Retry, d.Nonce, d.RedirectURI = nil, nil, nil, "n", "https://app.example/cb"
	text, err := d.Encode()
	if err != nil {
		f.Fatal(err)
	}
	if _, ok := decodePlain(string(text)); !ok {
		f.Fatalf("not the quick way: %s", text)
	}
	for _, s := range []string{string(text), "{}", "{", `{"auth_time":}`, `{"auth_time":01}`, `{"auth_time":-1}`, `{"jti":"a","jti":"b"}`, `{"jti":"\u0041"}`,
		`{"JTI":"a"}`, `{"redirect_uri_given":true}`, `{"redirect_uri_given":false}`, `{"jti":"a"}x`, `{"jti":"a",}`, `{"family_end":9223372036854775808}`,
		`{"kept":{"a":1}}`, `{"kept":{"a":1},"jti":"x"}`, `{"kept":{}`, `{"kept":{"a":"}"}}`, `{"jti":"x","kept":{"a":{}}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := decodePlain(s)
		if !ok {
			return
		}
		var want Data
		require.NoError(t, json.Unmarshal([]byte(s), &want))
		require.Equal(t, want, got)
	})
}

// Decoding a code to which no specification added anything costs two allocations:
// the document's text and the record's values that refer to it.
func TestDecode_CodeCostsAtMostTwoAllocations(t *testing.T) {
	d := Data{
		RedirectURI:      "https://app.example/cb",
		RedirectURIGiven: true,
		Challenge:        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		ChallengeMethod:  "S256",
		GrantType:        "authorization_code",
		AuthTime:         1,
	}
	text, err := d.Encode()
	require.NoError(t, err)
	rec := storage.Record{Data: text}
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = Decode(rec) }), 2.0)
}

// Each specification reads and replaces its own member and leaves those of the
// others as they are.
func TestKept_MembersAreApart(t *testing.T) {
	t.Parallel()
	var k Kept
	k, err := k.With("one", json.RawMessage(`{"a":1}`))
	require.NoError(t, err)
	k, err = k.With("two", json.RawMessage(`[2]`))
	require.NoError(t, err)
	k, err = k.With("one", json.RawMessage(`3`))
	require.NoError(t, err)
	require.JSONEq(t, `{"one":3,"two":[2]}`, string(k))
	got, err := k.Member("two")
	require.NoError(t, err)
	require.JSONEq(t, `[2]`, string(got))
	got, err = k.Member("three")
	require.NoError(t, err)
	require.Nil(t, got)
	k, err = k.With("one", nil)
	require.NoError(t, err)
	k, err = k.With("two", nil)
	require.NoError(t, err)
	require.Nil(t, k)
	_, err = Kept("x").Member("one")
	require.ErrorContains(t, err, "record: kept")
}

func BenchmarkDecode_Code(b *testing.B) {
	d := Data{RedirectURI: "https://app.example/cb", RedirectURIGiven: true, Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", ChallengeMethod: "S256", GrantType: "authorization_code", AuthTime: 1}
	text, err := d.Encode()
	require.NoError(b, err)
	rec := storage.Record{Data: text}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Decode(rec)
	}
}
