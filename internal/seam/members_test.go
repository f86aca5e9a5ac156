package seam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/seam"
)

// The members of an answer are one JSON object in their order.
func TestMembers_JSON(t *testing.T) {
	t.Parallel()
	m := seam.Members{
		seam.Text("b", "\"\\\u2028<>ü\x00"),
		seam.Number("a", -9007199254740993),
		seam.Other("text", "as text"),
		seam.Other("list", []string{"x"}),
		seam.Other("null", nil),
		seam.Text("", ""),
	}
	text, err := m.JSON()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), `{"b":"`), string(text))
	require.Contains(t, string(text), `,"a":-9007199254740993,`, "a whole number keeps all of its digits")
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, map[string]any{
		"b":    "\"\\\u2028<>ü\x00",
		"a":    -9007199254740993.0,
		"text": "as text",
		"list": []any{"x"},
		"null": nil,
		"":     "",
	}, got)

	text, err = seam.Members{}.JSON()
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
}

// A value without a JSON form is an error that names its member.
func TestMembers_WithoutJSONForm(t *testing.T) {
	t.Parallel()
	bad := seam.Other("callback", func() {})
	require.Equal(t, seam.Text("a", "b"), seam.Other("a", "b"), "a string needs no interface around it")
	_, err := seam.Members{bad}.JSON()
	require.ErrorContains(t, err, "callback")
	_, err = bad.Plain()
	require.ErrorContains(t, err, "callback")
}

// A format other than JSON gets text: a string as it is, all else in its JSON form.
func TestMember_Plain(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]seam.Member{
		`a "b"`:   seam.Text("x", `a "b"`),
		"-5":      seam.Number("x", -5),
		`{"a":1}`: seam.Other("x", map[string]int{"a": 1}),
		"true":    seam.Other("x", true),
	} {
		got, err := m.Plain()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// Further members come in the order of their names, without those that are not
// allowed and those that are nil.
func TestMembers_Append(t *testing.T) {
	t.Parallel()
	m := seam.Members{seam.Text("first", "1")}
	m = m.Append(map[string]any{"z": 1, "a": "x", "gone": nil, "error": "mine"}, func(name string) bool { return name != "error" })
	text, err := m.JSON()
	require.NoError(t, err)
	require.Equal(t, `{"first":"1","a":"x","z":1}`, string(text))
}
