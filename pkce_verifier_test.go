package grantwell_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
)

// letters are a verifier of 42 characters, one too few.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"

// s256 returns the challenge of a verifier (RFC 7636 section 4.2).
func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// redeemWith gets a code for the challenge of a verifier and redeems it by this
// verifier.
func redeemWith(l *servertest.Server, verifier string) servertest.Reply {
	code := l.Code("conf", "code_challenge", s256(verifier))
	return l.Redeem("conf", code, "code_verifier", verifier)
}

// A verifier has 43 to 128 characters. One of another length is refused, although its
// hash is the challenge.
//
// Holds: RFC 7636 section 4.1; RFC 7636 section 4.6.
func TestVerifier_Has43To128Characters(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for n, status := range map[int]int{1: 400, 42: 400, 43: 200, 44: 200, 127: 200, 128: 200, 129: 400, 200: 400} {
		res := redeemWith(l, strings.Repeat("a", n))
		require.Equal(t, status, res.Status, "%d characters: %s", n, res.Body)
		if status == 400 {
			res.Fails(t, 400, "invalid_grant")
			require.Equal(t, grants.ReasonCodeVerifier, l.LastEvent().Reason)
		}
	}
}

// A verifier has letters, digits and -._~ only. One with another character is refused,
// although its hash is the challenge.
//
// Holds: RFC 7636 section 4.1; RFC 7636 section 4.6.
func TestVerifier_HasUnreservedCharactersOnly(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	const unreserved = letters + "QRSTUVWXYZ0123456789-._~"
	for c := byte(0x20); c < 0x7f; c++ {
		for _, verifier := range []string{letters + string(c), string(c) + letters} {
			res := redeemWith(l, verifier)
			if strings.IndexByte(unreserved, c) >= 0 {
				require.Equal(t, 200, res.Status, "%q: %s", verifier, res.Body)
				continue
			}
			require.Equal(t, "invalid_grant", res.String("error"), "%q", verifier)
			require.Equal(t, grants.ReasonCodeVerifier, l.LastEvent().Reason)
		}
	}
	for _, verifier := range []string{letters + "é", letters + "\n", letters + "\x7f", letters + "ａ"} {
		redeemWith(l, verifier).Fails(t, 400, "invalid_grant")
	}
}
