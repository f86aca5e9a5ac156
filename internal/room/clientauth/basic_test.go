package clientauth

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Basic header has a name and a secret, form-encoded each. The name is not empty.
//
// Holds: RFC 6749 section 2.3.1.
func TestBasic_IsTwoFormEncodedStrings(t *testing.T) {
	t.Parallel()
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for header, want := range map[string][2]string{
		basic("id:secret"):                       {"id", "secret"},
		basic("a%3Ab+c:p%25+q"):                  {"a:b c", "p% q"},
		basic("id:"):                             {"id", ""},
		basic("id:a:b"):                          {"id", "a:b"},
		"bASIC " + basic("id:secret")[6:]:        {"id", "secret"},
		basic("id:" + strings.Repeat("s", 6141)): {"id", strings.Repeat("s", 6141)}, // 8 KiB in base64
	} {
		decoded, _, err := parseBasic(header)
		require.NoError(t, err, header)
		require.Equal(t, want, [2]string{decoded.id, decoded.secret})
	}
	for _, header := range []string{
		"",
		"Basic",
		"Basic ",
		"Bearer " + basic("id:secret")[6:],
		"Basic !!",
		basic("id"),
		basic(":secret"),
		basic("%zz:secret"),
		basic("id:%zz"),
		basic("id:%00"),
		basic("id:%ff"),
		basic("id:secret") + "\n",
		"Basic " + strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("id:s")), "="),
		basic("id:" + strings.Repeat("s", 6142)),
	} {
		decoded, _, _ := parseBasic(header)
		require.Empty(t, decoded, header)
	}
}

// The payload of a header has at most 8 KiB, and one ID and secret of that size are read.
//
// Holds: house: bounded parameters.
func TestBasic_PayloadIsBounded(t *testing.T) {
	t.Parallel()
	text := "id:" + strings.Repeat("x", 8<<10/4*3-3)
	payload := base64.StdEncoding.EncodeToString([]byte(text))
	require.Len(t, payload, 8<<10)
	decoded, _, err := parseBasic("Basic " + payload)
	require.NoError(t, err)
	require.Equal(t, "id", decoded.id)
	_, _, err = parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(text+"x")))
	require.Error(t, err)
}
