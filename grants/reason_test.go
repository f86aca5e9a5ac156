package grants_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
)

// Reasons lists every constant once. Each value is a metric's label: short, lower case
// and equal to no other one.
func TestReasons_AreAllAndDistinct(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	require.NoError(t, err)
	declared := map[grants.Reason]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		name := spec.Names[0].Name
		require.Empty(t, declared[grants.Reason(text)], "%s has the value of another constant", name)
		declared[grants.Reason(text)] = name
		return true
	})

	listed := grants.Reasons()
	require.Len(t, listed, len(declared), "Reasons does not list every constant")
	label := regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)
	for _, r := range listed {
		require.NotEmpty(t, declared[r], "%q is no constant, or is listed twice", r)
		require.Regexp(t, label, string(r))
		delete(declared, r)
	}
}

// Each constructor gives the reason of its kind, and a host's own error has one too.
func TestReason_OfEachError(t *testing.T) {
	t.Parallel()
	for want, err := range map[grants.Reason]error{
		grants.ReasonParameter:          grants.InvalidRequest("x"),
		grants.ReasonGrant:              grants.InvalidGrant("x"),
		grants.ReasonScope:              grants.InvalidScope("x"),
		grants.ReasonAudience:           grants.InvalidTarget("x"),
		grants.ReasonClient:             grants.InvalidClient("x"),
		grants.ReasonClientRegistration: grants.UnauthorizedClient("x"),
		grants.ReasonDenied:             grants.AccessDenied("x"),
		grants.ReasonGrantType:          grants.UnsupportedGrantType(),
		grants.ReasonLimit:              grants.TooManyTries(1),
		grants.ReasonUnavailable:        grants.Unavailable(grants.ErrWrongPassword),
		grants.ReasonHost:               &grants.Error{Code: "made_up"},
		grants.ReasonInternal:           grants.ErrWrongPassword,
		grants.ReasonCodeSpent:          grants.InvalidGrant("x").For(grants.ReasonCodeSpent).Because("y"),
	} {
		require.Equal(t, want, grants.ErrorOf(err).Reason)
	}
}
