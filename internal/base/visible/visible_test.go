package visible

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not seen, or changes how its surroundings are read, is refused, and is left
// out where a text is shown nevertheless (Unicode Standard Annex 9).
func TestCheck_RefusesWhatIsNotSeen(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\n", "\r", "\t", "\x00", "\x7f", "\u0085",
		"\u2028", "\u2029", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u3164", "\u2800", "\U000e0041", "\ue000", "\xff",
	} {
		require.False(t, Check("Bank"+bad+"App"), "%q", bad)
		require.True(t, Check(Only("Bank"+bad+"App")), "%q", bad)
	}
	for _, good := range []string{"", "Bank App", "Überweisung – 2", "銀行", "بنك", "☂️"} {
		require.True(t, Check(good), good)
		require.Equal(t, good, Only(good))
	}
	require.Equal(t, "Bank App", Only("Bank\nApp"))
}

// All spellings of a name fold to one text (NFKC, Unicode Standard Annex 15), and
// different names stay apart.
func TestFold_SpellingsOfOneName(t *testing.T) {
	t.Parallel()
	for name, spellings := range map[string][]string{
		"j\u00f6hndoe": {
			"J\u00d6HNDOE", "jo\u0308hndoe", "JO\u0308HNDOE", "j\u00f6hn\u200bdoe", "\ufeffj\u00f6hndoe", " j\u00f6hndoe\t",
			"\uff4a\u00f6\uff48\uff4e\uff44\uff4f\uff45", "j\u00f6hndoe\ufe0f", "j\u00f6hn\u00addoe", "j\u00f6hndoe\xff", "j\u00f6hn\u202edoe",
		},
		"alice smith": {"Alice  Smith", "alice\u00a0smith", "ALICE\u2003SMITH", "alice \u200d smith"},
		"k":           {"K", "\u212a", "\uff2b"},
		"\u03c3":      {"\u03a3", "\u03c2"},
		"ffi":         {"\ufb03", "FFI"},
		"1":           {"\u2460", "\uff11", "\u00b9"},
	} {
		for _, spelling := range spellings {
			require.Equal(t, Fold(name), Fold(spelling), "%+q", spelling)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"", "alice", "alicf", "ali ce", "al\u00efce", "\u0430lice", "alice1", "alice\x00x"} {
		folded := Fold(name)
		require.NotContains(t, seen, folded, "%q and %q", name, seen[folded])
		seen[folded] = name
	}
	require.LessOrEqual(t, len(Fold(strings.Repeat("\ufdfa", 100_000))), 64<<10)
}
