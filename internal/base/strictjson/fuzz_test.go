package strictjson

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// encoding/json is the second opinion. A text is accepted exactly if
// encoding/json reads one value from it within the bounds, without a repeated
// name. The decoded value is the same.
func FuzzObject_AgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"c":null}]}}`, `[[[[[]]]]]`, `{"a":[],"b":[1,2,3,4,5]}`,
		`{"\u0061":1,"a":2}`, `{"a\\":"\"","b":"\u2028"}`, `{"\ud800":1,"\ud801":2}`, "{\"\xff\":1}", `{} x`, `null`, `1e5`, `"a"`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`{"n":0` + manyNames() + `}`))
	limits := Limits{Size: 4096, Depth: 4, Members: 20}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := len(text) <= limits.Size && utf8.Valid(text) && json.Valid(text) && referenceShape(text, limits)
		require.Equal(t, want, Check(text, limits) == nil)

		var plain any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		members, isObject := map[string]any(nil), false
		if want && decoder.Decode(&plain) == nil {
			members, isObject = plain.(map[string]any)
		}
		got, err := Object(text, limits)
		require.Equal(t, isObject, err == nil)
		require.True(t, reflect.DeepEqual(members, got))

		raw, err := Members(text, limits)
		require.Equal(t, isObject, err == nil)
		require.Len(t, raw, len(members))

		var into any
		require.Equal(t, want, Decode(text, limits, &into) == nil)
	})
}

// referenceShape reads the tokens of a valid text by encoding/json.
func referenceShape(text []byte, limits Limits) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if !referenceValue(decoder, limits, 0) {
		return false
	}
	_, err := decoder.Token()
	return err == io.EOF
}

func referenceValue(decoder *json.Decoder, limits Limits, depth int) bool {
	token, err := decoder.Token()
	open, isContainer := token.(json.Delim)
	if err != nil || !isContainer {
		return err == nil
	}
	if depth >= limits.Depth {
		return false
	}

	seen := make(map[string]bool)
	count := 0
	for decoder.More() {
		if open == '{' {
			name, err := decoder.Token()
			if err != nil || seen[name.(string)] {
				return false
			}
			seen[name.(string)] = true
		}
		if count++; count > limits.Members || !referenceValue(decoder, limits, depth+1) {
			return false
		}
	}
	_, err = decoder.Token()
	return err == nil
}
