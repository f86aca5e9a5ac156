package tokens_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/tokens"
)

var oldSecret = []byte("0123456789abcdef0123456789abcdef and more that fosite ignores")

// fositeToken makes a token as fosite does, from its random part.
func fositeToken(hash crypto.Hash, random []byte) (token, signature string) {
	mac := hmac.New(hash.New, oldSecret[:32])
	mac.Write(random)
	signature = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	return base64.RawURLEncoding.EncodeToString(random) + "." + signature, signature
}

// Stored and Digest agree on a token, in each spelling that the old server may have
// stored. They agree on nothing else.
// Holds: RFC 6749 section 10.10.
func TestDigest_StoredMeetsToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("old token ", 4)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		form := tokens.Hashed{Hash: hash}
		want, ok := form.Digest(token)
		require.True(t, ok)
		for _, spelling := range []string{hex.EncodeToString(want), strings.ToUpper(hex.EncodeToString(want)), base64.StdEncoding.EncodeToString(want),
			base64.RawStdEncoding.EncodeToString(want), base64.URLEncoding.EncodeToString(want), base64.RawURLEncoding.EncodeToString(want)} {
			got, err := form.Stored(spelling)
			require.NoError(t, err, spelling)
			require.Equal(t, want, got)
		}
		for _, wrong := range []string{"", "zz", hex.EncodeToString(want[1:]), base64.StdEncoding.EncodeToString(want[1:]), strings.Repeat("A", 10_000)} {
			_, err := form.Stored(wrong)
			require.Error(t, err)
		}
	}
}

// Strings of another length than the old server's tokens are refused before they are hashed.
func TestDigest_BoundsLengths(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{0: false, 21: false, 22: true, 512: true, 513: false, 1 << 20: false} {
		_, got := tokens.Hashed{Hash: crypto.SHA256}.Digest(strings.Repeat("a", n))
		require.Equal(t, ok, got, n)
	}
	for n, ok := range map[int]bool{45: false, 46: true, 54: true} {
		_, got := tokens.Hashed{Hash: crypto.SHA1, Lengths: []int{46, 54}}.Digest(strings.Repeat("a", n))
		require.Equal(t, ok, got, n)
	}
	_, ok := tokens.Hashed{}.Digest(strings.Repeat("a", 40))
	require.False(t, ok)
}

// Digest and Stored agree, for both spellings of the column, only if one of the
// secrets made the token.
func TestFositeHMAC_NeedsSecret(t *testing.T) {
	t.Parallel()
	form := tokens.FositeHMAC{Secrets: [][]byte{bytes.Repeat([]byte("n"), 32), oldSecret}}
	for _, hash := range []crypto.Hash{0, crypto.SHA256, crypto.SHA512} {
		form.Hash = hash
		token, signature := fositeToken(max(hash, crypto.SHA256), bytes.Repeat([]byte{7}, 32))
		if hash == 0 {
			token, signature = fositeToken(crypto.SHA512_256, bytes.Repeat([]byte{7}, 32))
		}
		sum := sha512.Sum384([]byte(signature))
		for _, column := range []string{signature, hex.EncodeToString(sum[:])} {
			want, err := form.Stored(column)
			require.NoError(t, err)
			for _, prefix := range []string{"", "ory_at_", "ory_rt_"} {
				got, ok := form.Digest(prefix + token)
				require.True(t, ok)
				require.Equal(t, want, got)
			}
		}
		random, _, _ := strings.Cut(token, ".")
		for name, bad := range map[string]string{"no dot": signature, "no random part": "." + signature, "other random part": "C" + token[1:], "no signature": random + ".",
			"two": token + "." + signature, "line break": random + "\n." + signature, "other prefix": "ory_ac_" + token, "padded": token + "=",
			"too long": strings.Repeat("A", 1000) + "." + signature} {
			_, ok := form.Digest(bad)
			require.False(t, ok, name)
		}
		_, ok := tokens.FositeHMAC{Secrets: form.Secrets[:1], Hash: hash}.Digest(token)
		require.False(t, ok, "wrong secret")
	}
	_, err := form.Stored("no signature")
	require.Error(t, err)
}

// An HMAC out of the old tables is not accepted as a token, even if another form
// uses the same digest.
func TestFositeHMAC_SignatureIsNoToken(t *testing.T) {
	t.Parallel()
	_, signature := fositeToken(crypto.SHA512_256, bytes.Repeat([]byte{7}, 32))
	stored, err := tokens.FositeHMAC{Secrets: [][]byte{oldSecret}}.Stored(signature)
	require.NoError(t, err)
	digest, ok := tokens.Hashed{Hash: crypto.SHA384}.Digest(signature)
	require.True(t, ok)
	require.NotEqual(t, stored, digest)
}

// No input makes a form panic. A FositeHMAC accepts only what its HMAC verifies.
func FuzzImported(f *testing.F) {
	token, signature := fositeToken(crypto.SHA512_256, bytes.Repeat([]byte{7}, 32))
	for _, seed := range []string{"", ".", token, signature, "ory_at_" + token, token + "\n", strings.Repeat("ab", 20), strings.Repeat("A", 43) + "=", "\x00."} {
		f.Add(seed)
	}
	form := tokens.FositeHMAC{Secrets: [][]byte{oldSecret}}
	plain := tokens.Hashed{Hash: crypto.SHA256}
	f.Fuzz(func(t *testing.T, s string) {
		if digest, ok := form.Digest(s); ok {
			_, signature, _ := strings.Cut(s, ".")
			stored, err := form.Stored(signature)
			require.NoError(t, err)
			require.Equal(t, stored, digest)
		}
		if digest, ok := plain.Digest(s); ok {
			require.Len(t, digest, 32)
		}
		for _, f := range []tokens.Imported{form, plain} {
			if digest, err := f.Stored(s); err != nil {
				require.Nil(t, digest)
				require.NotContains(t, err.Error(), "0123456789abcdef")
			}
		}
	})
}

// The shortest and the longest length that may be configured are inside of the bound.
//
// Holds: RFC 6749 section 10.10.
func TestDigest_LengthsAtTheBounds(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{21: false, 22: true, 512: true, 513: false} {
		form := tokens.Hashed{Hash: crypto.SHA256, Lengths: []int{n}}
		require.Equal(t, ok, form.Check() == nil, n)
		_, got := form.Digest(strings.Repeat("a", n))
		require.Equal(t, ok, got, n)
	}
}

// A text that has the digest at its beginning, or an HMAC of another length, is not what
// the old server stored.
//
// Holds: house: hash formats.
func TestDigest_StoredIsReadToTheEnd(t *testing.T) {
	t.Parallel()
	sum := bytes.Repeat([]byte{7}, crypto.SHA384.Size())
	form := tokens.Hashed{Hash: crypto.SHA384}
	text := base64.StdEncoding.EncodeToString(sum)
	_, err := form.Stored(text)
	require.NoError(t, err)
	for _, more := range []string{"!", "A", "AA", "AAAA", "=A", " "} {
		_, err := form.Stored(text + more)
		require.Error(t, err, more)
	}
	// The last character has bits that no octet has.
	odd := tokens.Hashed{Hash: crypto.SHA256}
	spelling := strings.TrimRight(base64.StdEncoding.EncodeToString(make([]byte, 32)), "=")
	_, err = odd.Stored(spelling)
	require.NoError(t, err)
	_, err = odd.Stored(spelling[:len(spelling)-1] + "B")
	require.Error(t, err)

	fosite := tokens.FositeHMAC{Secrets: [][]byte{oldSecret}}
	for length, ok := range map[int]bool{31: false, 32: true, 33: false, 64: false, 0: false} {
		_, err := fosite.Stored(base64.RawURLEncoding.EncodeToString(make([]byte, length)))
		require.Equal(t, ok, err == nil, length)
	}
	mac := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for _, spoiled := range []string{mac + "=", mac + "!", mac[:20] + "\n" + mac[20:], mac[:len(mac)-1] + "B"} {
		_, err := fosite.Stored(spoiled)
		require.Error(t, err, spoiled)
	}

	// The decoder returns what it has read before the fault.
	whole := tokens.FositeHMAC{Secrets: [][]byte{oldSecret}, Hash: crypto.SHA384}
	mac = base64.RawURLEncoding.EncodeToString(make([]byte, 48))
	_, err = whole.Stored(mac)
	require.NoError(t, err)
	_, err = whole.Stored(mac + "!")
	require.Error(t, err)
}
