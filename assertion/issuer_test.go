package assertion

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// The functions of an issuer may map and narrow, and.
//
// Holds: RFC 7521 section 4.1; house: issuers apart; house: verified data only.
// cannot widen. An empty subject is refused.
func TestIssuer_HooksMapAndNarrow(t *testing.T) {
	t.Parallel()
	a := &Assertion{Subject: Subject{Value: "alice"}}
	failure := errors.New("down")
	subject := func(s string, err error) func(context.Context, *Assertion) (string, error) {
		return func(_ context.Context, got *Assertion) (string, error) {
			require.Same(t, a, got)
			return s, err
		}
	}
	got, err := (&Issuer{}).LocalSubject(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "alice", got)
	got, err = (&Issuer{Subject: subject("user-7", nil)}).LocalSubject(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "user-7", got)
	_, err = (&Issuer{Subject: subject("", nil)}).LocalSubject(t.Context(), a)
	requireReason(t, ReasonSubject, err)
	_, err = (&Issuer{Subject: subject("x", failure)}).LocalSubject(t.Context(), a)
	require.ErrorIs(t, err, failure)

	asked := []string{"a", "b", "c"}
	scopes := func(left []string, err error) *Issuer {
		return &Issuer{Scopes: func(_ context.Context, _ *Assertion, asked []string) ([]string, error) {
			asked[0] = "changed"
			return left, err
		}}
	}
	granted, err := (&Issuer{}).GrantedScopes(t.Context(), a, asked)
	require.NoError(t, err)
	require.Equal(t, asked, granted)
	granted, err = scopes([]string{"c", "admin", "a"}, nil).GrantedScopes(t.Context(), a, asked)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, granted)
	_, err = scopes(nil, failure).GrantedScopes(t.Context(), a, asked)
	require.ErrorIs(t, err, failure)
}

// The description for the client has neither the cause nor what was expected.
func TestError_DescriptionIsCoarse(t *testing.T) {
	t.Parallel()
	for _, reason := range []Reason{
		ReasonMissing, ReasonDisabled, ReasonSize, ReasonEncoding, ReasonSyntax, ReasonStructure, ReasonAlgorithm, ReasonType,
		ReasonDecryption, ReasonIssuer, ReasonKey, ReasonSignature, ReasonContent, ReasonSubject, ReasonAudience, ReasonCondition,
		ReasonConfirmation, ReasonRecipient, ReasonAddress, ReasonInResponseTo, ReasonExpired, ReasonNotYetValid, ReasonLifetime,
		ReasonClient, ReasonReplay, ReasonUnavailable,
	} {
		cause := errors.New("cause")
		e := newError(Grant, reason, "secret detail").because(cause)
		require.NotContains(t, e.Description(), "detail")
		require.NotContains(t, e.Description(), "cause")
		require.Equal(t, "assertion: "+string(reason)+": secret detail: cause", e.Error())
		require.ErrorIs(t, e, cause)
	}
	// The three that would show a forger how far the assertion came are the same.
	require.Equal(t, newError(Grant, ReasonSignature, "").Description(), newError(Grant, ReasonIssuer, "").Description())
	require.Equal(t, newError(Grant, ReasonSignature, "").Description(), newError(Grant, ReasonDecryption, "").Description())
	require.Equal(t, "grant client_auth", Grant.String()+" "+ClientAuth.String())
	require.Len(t, shown(string(make([]byte, 1000))), len(`"`)*2+120*len(`\x00`)+len(" (1000 octets)"))
}
