package xmldsig

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names outside ASCII are checked, and the number of tags that have one is bounded. The
// Go releases that this module supports write each name as they read it, so that no name
// is known that the check refuses.
//
// Holds: house: XML bounds; house: bounded parsers.
func TestRoundTrip_BoundsTheTagsThatAreChecked(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`<a/>`, `<é/>`, `<é é="1"/>`, `<a b="é">é</a>`, `<a><b c='>é'/></a>`} {
		require.NoError(t, RoundTrip([]byte(doc)), doc)
	}
	most := strings.Repeat(`<é/>`, mostUnusual)
	require.NoError(t, RoundTrip([]byte("<a>"+most+"</a>")))
	require.ErrorAs(t, RoundTrip([]byte("<a>"+most+"<é/></a>")), new(LimitError))
	require.ErrorAs(t, RoundTrip([]byte("<a>"+most+`<a é=""/></a>`)), new(LimitError))
	require.ErrorAs(t, RoundTrip([]byte(`<a xmlns:é="urn:x">`+most+`<é:a/></a>`)), new(LimitError))
}
