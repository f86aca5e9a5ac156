package form

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// Empty pairs are passed over, however many there are. They are no repetition.
func TestParse_EmptyPairsArePassedOver(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a=1&b=2", "&a=1&&&b=2&", "&&&&a=1&b=2", "a=1&b=2&&&"} {
		for name, parse := range map[string]func(string) (url.Values, error){
			"Parse":    func(text string) (url.Values, error) { return Parse(text) },
			"ParseAll": ParseAll,
		} {
			got, err := parse(text)
			require.NoError(t, err, "%s %q", name, text)
			require.Equal(t, url.Values{"a": {"1"}, "b": {"2"}}, got, "%s %q", name, text)
		}
	}
}
