package form

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A form is refused if two readers could read it differently.
// Holds: RFC 6749 section 3.1; RFC 6749 section 3.2; RFC 6749 appendix B;
// house: bounded parameters.
func TestParse_RefusesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bad escape": "a=%zz", "lone percent": "a=1%", "NUL": "a=%00", "raw NUL": "a=\x00", "bad UTF-8": "a=%ff", "raw bad UTF-8": "a=\xff", "bad UTF-8 in a name": "%ff=a",
		"repeated": "a=1&a=2", "repeated after an empty one": "a=&a=2", "empty after one": "a=1&a=", "repeated by another spelling": "a=1&%61=2",
		"too many": strings.Repeat("a=1&", 100),
	} {
		_, err := Parse(text)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "a=1", name)
	}
	got, err := Parse("a=1&b=&c&&d=x+y%2B&e=x+y&f=ä&resource=1&resource=2", "resource")
	require.NoError(t, err)
	require.Equal(t, url.Values{"a": {"1"}, "d": {"x y+"}, "e": {"x y"}, "f": {"ä"}, "resource": {"1", "2"}}, got)
}

// The values that Parse returns are valid, and are those of net/url if it
// accepts the form.
// Holds: house: race free.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a=1&b=2", "a=%41+&resource=1&resource=2", "%zz", "&&&=&=x", "a;b=1", "a=%00", "grant_type=password&username=%C3%A4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text, "resource")
		if err != nil {
			return
		}
		for name, values := range got {
			if len(values) == 0 || len(values) > 1 && name != "resource" {
				t.Fatalf("%q has %d values", name, len(values))
			}
			for _, v := range values {
				if v == "" || !utf8.ValidString(v) || strings.Contains(v, "\x00") {
					t.Fatalf("%q came out", v)
				}
			}
		}
		if std, err := url.ParseQuery(text); err == nil {
			for name, values := range std {
				values = deleteEmpty(values)
				if len(values) > 0 && strings.Join(values, "\x00") != strings.Join(got[name], "\x00") {
					t.Fatalf("%q: %q, net/url has %q", name, got[name], values)
				}
			}
		}
	})
}

func deleteEmpty(in []string) (out []string) {
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
