package visible

import (
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
