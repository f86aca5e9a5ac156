package tokens

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tokens are as long as configured, begin with the prefix, and keep to URL-safe characters.
//
// Holds: RFC 6749 section 10.10; house: token settings.
func TestOpaque_ObeysPrefixAndLength(t *testing.T) {
	t.Parallel()
	for _, o := range []Opaque{{}, {Prefix: "gw_at_"}, {Length: 54}, {Length: 46}, {Length: 30}, {Length: 28}, {Prefix: "gw_at_", Length: 54}, {Prefix: "a.b~c-d_e", Length: 256}} {
		token, err := o.Mint(t.Context(), someClaims())
		require.NoError(t, err)
		require.Len(t, token, o.total())
		require.Regexp(t, `^[A-Za-z0-9._~-]+$`, token)
		require.True(t, strings.HasPrefix(token, o.Prefix))
		c, err := o.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, Claims{}, c)
	}
	token, err := Opaque{}.Mint(t.Context(), Claims{})
	require.NoError(t, err)
	require.Len(t, token, 49)
}

// A length that leaves less than 128 bits of entropy is refused.
//
// Holds: RFC 6749 section 10.10; house: token settings.
func TestOpaque_RefusesLittleEntropy(t *testing.T) {
	t.Parallel()
	for _, o := range []Opaque{{Length: 27}, {Length: 1}, {Length: -1}, {Length: 257}, {Prefix: "gw_at_", Length: 33}, {Prefix: "a b"}, {Prefix: "é"}, {Prefix: strings.Repeat("a", 33)}} {
		require.ErrorContains(t, o.Check(), "tokens: Opaque.")
		_, err := o.Mint(t.Context(), Claims{})
		require.Error(t, err)
		_, err = o.Verify(t.Context(), "x")
		require.Error(t, err)
		require.NotErrorIs(t, err, ErrInvalid, "a wrong configuration condemns no token")
	}
}

// A token with one character changed, of another length or in another case is
// refused.
//
// Holds: RFC 7515 section 5.2.
func TestOpaque_RefusesEveryChange(t *testing.T) {
	t.Parallel()
	for _, o := range []Opaque{{}, {Prefix: "gw_at_"}, {Length: 30}} {
		token, err := o.Mint(t.Context(), Claims{})
		require.NoError(t, err)
		for i := range len(token) {
			for c := range 256 {
				if changed := token[:i] + string([]byte{byte(c)}) + token[i+1:]; changed != token {
					_, err := o.Verify(t.Context(), changed)
					require.ErrorIs(t, err, ErrInvalid)
				}
			}
			requireInvalid(t, o, token[:i])
			requireInvalid(t, o, token[i+1:])
			if i > 0 && token[i] != token[i-1] {
				requireInvalid(t, o, token[:i-1]+string([]byte{token[i], token[i-1]})+token[i+1:])
			}
		}
		for _, changed := range []string{token + "A", token + "=", token + " ", "A" + token, strings.ToUpper(token), strings.ToLower(token), swapCase(token), token + token, strings.Repeat("A", 1<<20)} {
			requireInvalid(t, o, changed)
		}
		other := Opaque{Prefix: "xx", Length: o.total()}
		requireInvalid(t, other, token)
	}
}

// A million tokens are all different. Each random position takes each of the 64
// characters about equally often. Random strings of the same form are refused.
//
// Holds: RFC 6749 section 10.10.
func TestOpaque_IsUniqueAndUnbiased(t *testing.T) {
	t.Parallel()
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	seen := make(map[string]struct{}, n)
	var count [defaultRandom][256]int
	for range n {
		token, err := Opaque{}.Mint(t.Context(), Claims{})
		require.NoError(t, err)
		seen[token[:22]] = struct{}{} // the first 132 bits alone
		for i := range count {
			count[i][token[i]]++
		}
	}
	require.Len(t, seen, n)
	for i := range count {
		chi := 0.0
		allowed := alphabet
		if i == 0 { // no token begins with a hyphen
			require.Zero(t, count[0]['-'])
			allowed = strings.ReplaceAll(alphabet, "-", "")
		}
		want := float64(n) / float64(len(allowed))
		for _, c := range []byte(allowed) {
			d := float64(count[i][c]) - want
			chi += d * d / want
		}
		// 63 degrees of freedom: mean 63, deviation 11. By chance beyond 170 less than once in 1e10.
		require.Less(t, chi, 170.0, "position %d", i)
	}
}

// The form of the checksum does not change between releases, so that tokens stay
// valid after an upgrade.
func TestOpaque_ChecksumIsStable(t *testing.T) {
	t.Parallel()
	token := "gw_at_" + strings.Repeat("A", defaultRandom)
	sum := checksum([]byte(token))
	require.Equal(t, "BXOBcd", string(sum[:]))
	_, err := Opaque{Prefix: "gw_at_"}.Verify(t.Context(), token+string(sum[:]))
	require.NoError(t, err)
}

// It is not parallel, because it counts allocations.
func TestOpaque_MintAllocatesLittle(t *testing.T) {
	o := Opaque{Prefix: "gw_at_"}
	token, err := o.Mint(t.Context(), Claims{})
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = o.Mint(t.Context(), Claims{}) }), 2.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = o.Verify(t.Context(), token) }), 1.0)
}

// No token begins with a hyphen, whatever its prefix, because command lines would take
// it for an option.
func TestOpaque_NeverBeginsWithAHyphen(t *testing.T) {
	t.Parallel()
	for range 2000 {
		token, err := Opaque{}.Mint(t.Context(), Claims{})
		require.NoError(t, err)
		require.NotEqual(t, byte('-'), token[0])
	}
	require.ErrorContains(t, Opaque{Prefix: "-x"}.Check(), "hyphen")
	require.NoError(t, Opaque{Prefix: "x-"}.Check())
}
