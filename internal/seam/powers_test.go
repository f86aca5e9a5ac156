package seam_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// reads is a specification that reads parameters and has an endpoint.
type reads struct{ names []string }

func (s reads) Parameters() []string { return s.names }
func (s reads) Endpoints() []seam.Endpoint {
	return []seam.Endpoint{{Name: s.names[0]}}
}

// encodes is a specification that encodes a response mode and describes itself.
type encodes struct{ mode string }

func (s encodes) ResponseMode() string                                           { return s.mode }
func (encodes) Accept(*seam.Authorization, bool) error                           { return nil }
func (encodes) Encode(http.ResponseWriter, *seam.Authorization, seam.Params) int { return 0 }
func (encodes) Describe(map[string]any)                                          {}

// judges is a specification that resolves, checks, formats, answers and asks the
// server.
type judges struct{}

func (judges) Check(context.Context, *seam.Authorization) error            { return nil }
func (judges) Format(url.Values) (*seam.Format, error)                     { return nil, nil }
func (judges) ResponseType() string                                        { return "code" }
func (judges) Respond(context.Context, *seam.Approved, *seam.Answer) error { return nil }
func (judges) Bind(seam.Kernel)                                            {}
func (judges) Resolve(context.Context, url.Values, time.Time) (*seam.Resolution, error) {
	return nil, nil
}

// Each power of each specification is found, in the order of the specifications, and
// a type without powers adds nothing.
func TestGather_FindsEveryPower(t *testing.T) {
	t.Parallel()
	p, err := seam.Gather(reads{[]string{"a", "b"}}, encodes{"x"}, struct{}{}, &judges{}, reads{[]string{"c"}}, encodes{"y"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, p.Parameters)
	require.Equal(t, []string{"a", "c"}, []string{p.Endpoints[0].Name, p.Endpoints[1].Name})
	require.Equal(t, []seam.Encoder{encodes{"x"}, encodes{"y"}}, p.Encoders)
	require.Len(t, p.Describers, 2)
	for name, n := range map[string]int{
		"Resolvers":  len(p.Resolvers),
		"Checkers":   len(p.Checkers),
		"Responders": len(p.Responders),
		"Formatters": len(p.Formatters),
		"Binders":    len(p.Binders),
	} {
		require.Equal(t, 1, n, name)
	}
	p, err = seam.Gather()
	require.NoError(t, err)
	require.Equal(t, seam.Powers{}, p)
}

// prepares is a specification with settings of its own.
type prepares struct {
	path  string
	wrong error
}

func (s *prepares) Prepare() error {
	s.path = "/prepared"
	return s.wrong
}

func (s *prepares) Endpoints() []seam.Endpoint { return []seam.Endpoint{{Path: s.path}} }

// A specification is prepared before its powers are asked, and what is wrong with each
// of them is reported at once.
func TestGather_PreparesFirst(t *testing.T) {
	t.Parallel()
	p, err := seam.Gather(&prepares{})
	require.NoError(t, err)
	require.Equal(t, "/prepared", p.Endpoints[0].Path)

	first := errors.New("A.Path")
	second := errors.New("B.Path")
	_, err = seam.Gather(&prepares{wrong: first}, &prepares{}, &prepares{wrong: second})
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, second)
}

// wrapper names another grant without embedding it.
type wrapper struct{ inner grants.Handler }

func (wrapper) GrantType() string        { return "urn:example:wrapper" }
func (w wrapper) Unwrap() grants.Handler { return w.inner }
func (w wrapper) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	return w.inner.Handle(ctx, r)
}

// circle wraps itself.
type circle struct{ wrapper }

func (c *circle) Unwrap() grants.Handler { return c }

// A power that describes a grant is found through embedding and through Unwrap.
func TestPowerOf_EmbeddedAndWrapped(t *testing.T) {
	t.Parallel()
	code := grants.AuthorizationCode{RequirePKCE: true, AllowPlainPKCE: true}
	for name, h := range map[string]grants.Handler{
		"itself":            code,
		"a pointer":         &code,
		"embedded":          struct{ grants.AuthorizationCode }{code},
		"embedded pointer":  &struct{ *grants.AuthorizationCode }{&code},
		"wrapped":           wrapper{code},
		"wrapped twice":     wrapper{wrapper{&code}},
		"wrapped, embedded": wrapper{struct{ grants.AuthorizationCode }{code}},
	} {
		responder, ok := seam.PowerOf[grants.Responder](h)
		require.True(t, ok, name)
		require.Equal(t, "code", responder.ResponseType(), name)
		pkce, ok := seam.PowerOf[grants.PKCE](h)
		require.True(t, ok, name)
		require.Equal(t, []string{"S256", "plain"}, pkce.ChallengeMethods(), name)
	}
	for name, h := range map[string]grants.Handler{
		"has none":      grants.ClientCredentials{},
		"wraps none":    wrapper{grants.ClientCredentials{}},
		"wraps nothing": wrapper{},
		"wraps itself":  &circle{},
		"no grant":      nil,
	} {
		power, ok := seam.PowerOf[grants.PKCE](h)
		require.False(t, ok, name)
		require.Nil(t, power, name)
	}
}

// The outer grant's own power wins over that of the inner one.
func TestPowerOf_OuterWins(t *testing.T) {
	t.Parallel()
	inner := grants.AuthorizationCode{}
	outer := struct {
		wrapper
		grants.PKCE
	}{wrapper{inner}, grants.AuthorizationCode{AllowPlainPKCE: true}}
	pkce, ok := seam.PowerOf[grants.PKCE](outer)
	require.True(t, ok)
	require.Equal(t, []string{"S256", "plain"}, pkce.ChallengeMethods())
}

// Only the types of package grants see a client that may share its memory with the
// store: a type that embeds one is the host's.
func TestOwn_IsTheTypeItself(t *testing.T) {
	t.Parallel()
	require.True(t, seam.Own(grants.AuthorizationCode{}))
	require.True(t, seam.Own(&grants.AuthorizationCode{}))
	require.True(t, seam.Own(grants.AssertionAuth{}))
	for name, v := range map[string]any{
		"nil":                  nil,
		"a host's type":        wrapper{},
		"embedded":             struct{ grants.AuthorizationCode }{},
		"a pointer to a type":  &struct{ grants.AuthorizationCode }{},
		"a pointer to pointer": new(*grants.AuthorizationCode),
		"a named type of ours": hosts{},
	} {
		require.False(t, seam.Own(v), name)
	}
}

// hosts is a type of the host that has the methods of a grant.
type hosts grants.AuthorizationCode
