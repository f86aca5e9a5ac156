package grants_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B

// RFC 7636 section 4.2: plain is offered only where it is allowed.
func TestPKCE_ListsTheMethodsThatItAccepts(t *testing.T) {
	t.Parallel()
	client := &storage.Client{ID: "c"}
	for allowed, want := range map[bool][]string{false: {"S256"}, true: {"S256", "plain"}} {
		g := grants.AuthorizationCode{AllowPlainPKCE: allowed}
		require.Equal(t, want, g.ChallengeMethods())
		for _, method := range []string{"S256", "plain"} {
			_, err := g.CheckChallenge(client, challenge, method, true)
			require.Equal(t, strings.Contains(strings.Join(want, " "), method), err == nil, method)
		}
	}
}

// RFC 9700 section 2.1.1: a public client must send a challenge. The server or a
// client may ask for more, and only the server may ask for less.
//
// Holds: RFC 7636 section 4.4.1.
func TestPKCE_WhoMustSendAChallenge(t *testing.T) {
	t.Parallel()
	public := &storage.Client{ID: "public", AuthMethod: storage.AuthNone}
	confidential := &storage.Client{ID: "confidential"}
	strict := &storage.Client{ID: "strict", RequirePKCE: true}
	for _, c := range []struct {
		rule   grants.AuthorizationCode
		client *storage.Client
		must   bool
	}{
		{grants.AuthorizationCode{}, public, true},
		{grants.AuthorizationCode{}, confidential, false},
		{grants.AuthorizationCode{}, strict, true},
		{grants.AuthorizationCode{RequirePKCE: true}, confidential, true},
		{grants.AuthorizationCode{PublicWithoutPKCE: true}, public, false},
		{grants.AuthorizationCode{PublicWithoutPKCE: true}, strict, true},
		{grants.AuthorizationCode{PublicWithoutPKCE: true, RequirePKCE: true}, public, true},
	} {
		method, err := c.rule.CheckChallenge(c.client, "", "", true)
		require.Equal(t, c.must, err != nil, "%+v %s", c.rule, c.client.ID)
		require.Empty(t, method)
		_, err = c.rule.CheckChallenge(c.client, "", "", false)
		require.NoError(t, err, "a response type without a code needs none")
	}
}

// RFC 7636 sections 4.2 and 4.3: a challenge has 43 to 128 unreserved characters, and
// a method that is not sent is plain.
//
// Holds: RFC 7636 section 4.2; RFC 7636 section 4.3.
func TestPKCE_ChallengeIsWellFormed(t *testing.T) {
	t.Parallel()
	client := &storage.Client{ID: "c"}
	plain := grants.AuthorizationCode{AllowPlainPKCE: true}
	for _, code := range []bool{true, false} {
		for _, good := range []string{challenge, strings.Repeat("~", 43), strings.Repeat("-._~", 32)} {
			method, err := plain.CheckChallenge(client, good, "", code)
			require.NoError(t, err)
			require.Equal(t, "plain", method)
		}
		for name, sent := range map[string][2]string{
			"42 characters":            {challenge[:42], "S256"},
			"129 characters":           {strings.Repeat("a", 129), "S256"},
			"padding":                  {challenge + "=", "S256"},
			"base64":                   {challenge[:42] + "+", "S256"},
			"not ASCII":                {challenge + "é", "S256"},
			"unknown method":           {challenge, "S512"},
			"method in lower case":     {challenge, "s256"},
			"method without challenge": {"", "S256"},
		} {
			_, err := plain.CheckChallenge(client, sent[0], sent[1], code)
			e := grants.ErrorOf(err)
			require.Equal(t, "invalid_request", e.Code, name)
			require.Equal(t, grants.ReasonChallenge, e.Reason, name)
		}
	}
}
