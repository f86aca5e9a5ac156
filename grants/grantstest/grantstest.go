package grantstest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
)

// Config describes a handler to [Run].
type Config struct {
	// New returns the handler. Each case has a handler of its own. Required.
	New func() grants.Handler

	// Good makes a request into one that h must grant. It gets what [Request]
	// returns with an empty form. It may fill in the form, change the other fields,
	// and store what the form names. It is called for each request, and each time the
	// request must be good beside the earlier ones. Required.
	Good func(t testing.TB, h grants.Handler, r *grants.Request)

	// Bad are further requests that h must refuse, by name. Each is good before its
	// function changes it.
	Bad map[string]func(t testing.TB, h grants.Handler, r *grants.Request)

	// Spent returns how many things h has used up that live outside the server's
	// store, such as vouchers. Nil: there are none.
	Spent func(h grants.Handler) int

	// Formless says that the grant reads no parameter of the form, so that an empty
	// form is a good one, as with client_credentials.
	Formless bool
}

// Run holds a handler to the contract of [grants.Handler]. It runs a subtest for each
// rule, and the subtests run in parallel.
//
//   - GrantType: the grant type is one of RFC 6749 or an absolute URI (section 4.5),
//     and is always the same.
//   - Check: a handler with a method Check() error is content with its own settings.
//   - Good: the handler grants a good request to a subject. What it decides is within
//     what the server takes over: no registered claims, no standard members of the
//     response, no times that have passed.
//   - StoresNothing: Handle neither issues nor stores; the server does.
//   - Empty, Garbage: a request without parameters, or with senseless ones, is refused
//     with an error of the caller, which a client may see.
//   - Bad: the same for each request of Config.Bad.
//   - Unchanged: the handler changes neither the form nor the client.
//   - KeepsNothing: what the handler decides does not depend on earlier requests.
//   - Concurrent: the handler serves requests at the same time.
//   - StoreFails: a store that fails is not the caller's fault, and its error stays
//     with the operator.
//   - Powers: [grants.Responder], [grants.PKCE], [grants.Identifier] and
//     [grants.Wrapper] are sound, where the handler has them.
//   - SpendsLast: Handle spends nothing; Grant.Prepare spends, and only once.
//     This needs Config.Spent.
func Run(t *testing.T, c Config) {
	require.NotNil(t, c.New, "Config.New")
	require.NotNil(t, c.Good, "Config.Good")
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			if rule.applies != nil && !rule.applies(c) {
				t.Skip("the rule does not apply to this handler")
			}
			rule.hold(newProbe(t, c))
		})
	}
}

// rule is one promise of the contract.
type rule struct {
	name string
	// applies reports whether a handler makes the promise. Nil: every handler does.
	applies func(Config) bool
	hold    func(p *probe)
}

// rules returns all rules, each named after its promise.
func rules() []rule {
	takesForm := func(c Config) bool { return !c.Formless }

	return []rule{
		{"GrantType", nil, grantType},
		{"Check", nil, check},
		{"Good", nil, good},
		{"StoresNothing", nil, storesNothing},
		{"Empty", takesForm, empty},
		{"Garbage", nil, garbage},
		{"Bad", func(c Config) bool { return len(c.Bad) > 0 }, bad},
		{"Unchanged", nil, unchanged},
		{"KeepsNothing", nil, keepsNothing},
		{"Concurrent", nil, concurrent},
		{"StoreFails", nil, storeFails},
		{"Powers", nil, powers},
		{"SpendsLast", func(c Config) bool { return c.Spent != nil }, spendsLast},
	}
}

// probe is a handler under test.
type probe struct {
	testing.TB
	Config
	h grants.Handler
}

func newProbe(t testing.TB, c Config) *probe {
	h := c.New()
	require.NotNil(t, h, "Config.New returned no handler")

	return &probe{TB: t, Config: c, h: h}
}

// good returns a new request that the handler must grant.
func (p *probe) good() *grants.Request {
	p.Helper()
	r := Request(p, nil)
	p.Good(p, p.h, r)

	return r
}

// handle lets the handler decide. A handler returns a grant or an error, never both
// and never neither.
func (p *probe) handle(r *grants.Request) (*grants.Grant, error) {
	p.Helper()
	g, err := p.h.Handle(p.Context(), r)
	require.False(p, g == nil && err == nil, "the handler returned neither a grant nor an error")
	require.False(p, g != nil && err != nil, "the handler returned a grant beside the error %v", err)

	return g, err
}

// granted lets the handler decide on a request that it must grant.
func (p *probe) granted(r *grants.Request) *grants.Grant {
	p.Helper()
	g, err := p.handle(r)
	require.NoError(p, err, "a good request was refused")

	return g
}

// spent returns what the handler has used up.
func (p *probe) spent() int {
	if p.Spent == nil {
		return 0
	}

	return p.Spent(p.h)
}
