package grantstest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// vouchers is a grant of a host: a voucher and its PIN buy a token once.
type vouchers struct {
	mu   sync.Mutex
	open map[string]string // subjects by voucher
	used int

	// The rest is wrong where it is set.
	name      func() string
	checked   error
	handle    func(v *vouchers, ctx context.Context, r *grants.Request) (*grants.Grant, error)
	prepare   func(v *vouchers, voucher string) error
	noPrepare bool
}

func newVouchers() *vouchers { return &vouchers{open: map[string]string{}} }

func (v *vouchers) GrantType() string {
	if v.name != nil {
		return v.name()
	}

	return "urn:example:voucher"
}

func (v *vouchers) Check() error { return v.checked }

func (v *vouchers) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	if v.handle != nil {
		return v.handle(v, ctx, r)
	}

	return v.decide(r)
}

// decide is the right decision.
func (v *vouchers) decide(r *grants.Request) (*grants.Grant, error) {
	voucher := r.Form.Get("voucher")
	if voucher == "" {
		return nil, grants.InvalidRequest("The parameter voucher is missing.")
	}

	v.mu.Lock()
	subject, ok := v.open[voucher]
	v.mu.Unlock()
	if !ok || r.Form.Get("pin") != "1234" {
		return nil, grants.InvalidGrant("no such voucher, or another PIN")
	}

	g := &grants.Grant{Subject: subject, Refresh: true, Claims: map[string]any{"shop": "north"}}
	if !v.noPrepare {
		g.Prepare = func(context.Context, *grants.Response) error {
			if v.prepare != nil {
				return v.prepare(v, voucher)
			}
			return v.spend(voucher)
		}
	}

	return g, nil
}

func (v *vouchers) spend(voucher string) error {
	v.mu.Lock()
	defer v.mu.Unlock()

	if _, ok := v.open[voucher]; !ok {
		return grants.InvalidGrant("the voucher was spent before")
	}
	delete(v.open, voucher)
	v.used++

	return nil
}

func (v *vouchers) add(subject string) string {
	v.mu.Lock()
	defer v.mu.Unlock()

	voucher := fmt.Sprint("voucher", len(v.open)+v.used)
	v.open[voucher] = subject

	return voucher
}

func (v *vouchers) spent() int {
	v.mu.Lock()
	defer v.mu.Unlock()

	return v.used
}

// withPowers is the grant with the further interfaces of package grants.
type withPowers struct {
	*vouchers
	responseType string
	unwrapped    grants.Handler
	identify     error
	grants.PKCE
}

func (w withPowers) ResponseType() string   { return w.responseType }
func (w withPowers) Unwrap() grants.Handler { return w.unwrapped }
func (w withPowers) Identify(_ context.Context, r *grants.Request) (string, error) {
	if r.Form.Get("voucher") == "" || strings.Contains(r.Form.Get("voucher"), mark) {
		return "", w.identify
	}

	return "client", nil
}

// lax accepts every challenge.
type lax struct{ methods []string }

func (l lax) ChallengeMethods() []string { return l.methods }
func (lax) CheckChallenge(_ *storage.Client, _, method string, _ bool) (string, error) {
	return method, nil
}

// strict accepts no challenge, although it lists a method.
type strict struct{}

func (strict) ChallengeMethods() []string { return []string{"S256"} }
func (strict) CheckChallenge(*storage.Client, string, string, bool) (string, error) {
	return "", grants.InvalidRequest("No.")
}

// config describes the grant to the kit. The edit changes each handler.
func config(edit func(*vouchers)) Config {
	vouchersOf := func(h grants.Handler) *vouchers {
		if w, ok := h.(withPowers); ok {
			return w.vouchers
		}
		return h.(*vouchers)
	}

	return Config{
		New: func() grants.Handler {
			v := newVouchers()
			if edit != nil {
				edit(v)
			}
			return v
		},
		Good: func(_ testing.TB, h grants.Handler, r *grants.Request) {
			r.Form.Set("voucher", vouchersOf(h).add("alice"))
			r.Form.Set("pin", "1234")
		},
		Bad: map[string]func(testing.TB, grants.Handler, *grants.Request){
			"wrong PIN": func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Set("pin", "9999") },
			"no PIN":    func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Del("pin") },
		},
		Spent: func(h grants.Handler) int { return vouchersOf(h).spent() },
	}
}

// powered returns the configuration of the grant with further interfaces.
func powered(edit func(*withPowers)) Config {
	c := config(nil)
	c.New = func() grants.Handler {
		w := withPowers{
			vouchers:     newVouchers(),
			responseType: "code",
			unwrapped:    grants.Implicit{},
			identify:     grants.InvalidGrant("no voucher"),
			PKCE:         grants.AuthorizationCode{},
		}
		if edit != nil {
			edit(&w)
		}
		return w
	}

	return c
}

// wrong is a handler with one fault, and the rules that have to fail with it.
type wrong struct {
	fault string
	found []string
	Config
}

// after returns a handler whose decision is changed after it was made.
func after(change func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error)) Config {
	return config(func(v *vouchers) {
		v.handle = func(v *vouchers, _ context.Context, r *grants.Request) (*grants.Grant, error) {
			g, err := v.decide(r)
			return change(r, g, err)
		}
	})
}

// granting returns a handler whose good decisions are changed.
func granting(change func(r *grants.Request, g *grants.Grant)) Config {
	return after(func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
		if err == nil {
			change(r, g)
		}
		return g, err
	})
}

// refusing returns a handler whose refusals are changed.
func refusing(change func(r *grants.Request, err error) error) Config {
	return after(func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
		if err != nil {
			err = change(r, err)
		}
		return g, err
	})
}

func wrongNames() []wrong {
	named := func(name func() string) Config { return config(func(v *vouchers) { v.name = name }) }
	calls := 0

	return []wrong{
		{"a grant type that is no URI", []string{"GrantType"}, named(func() string { return "voucher" })},
		{"a grant type without a name", []string{"GrantType"}, named(func() string { return "" })},
		{"a grant type with a space", []string{"GrantType"}, named(func() string { return "urn:a voucher" })},
		{"a grant type that changes", []string{"GrantType"}, named(func() string {
			calls++
			return fmt.Sprint("urn:example:voucher", calls)
		})},
		{"two handlers, two grant types", []string{"GrantType"}, config(func(v *vouchers) {
			calls++
			own := fmt.Sprint("urn:example:voucher", calls)
			v.name = func() string { return own }
		})},
		{"wrong settings", []string{"Check"}, config(func(v *vouchers) { v.checked = errors.New("no shop") })},
	}
}

func wrongDecisions() []wrong {
	return []wrong{
		{"no subject", []string{"Good", "Concurrent"}, granting(func(_ *grants.Request, g *grants.Grant) { g.Subject = "" })},
		{"a registered claim", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) { g.Claims["Exp"] = 1 })},
		{"a standard member", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) {
			g.Response = map[string]any{"access_token": "mine"}
		})},
		{"claims without JSON", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) { g.Claims["f"] = func() {} })},
		{"members without JSON", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) {
			g.Response = map[string]any{"c": make(chan int)}
		})},
		{"a malformed scope", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) { g.Limit = []string{"read write"} })},
		{"a token of more than the grant", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) {
			g.Scope = []string{"read"}
			g.Narrow = []string{"write"}
		})},
		{"over before it begins", []string{"Good"}, granting(func(r *grants.Request, g *grants.Grant) {
			g.NotAfter = r.Now.Add(-time.Second)
		})},
		{"a family that is over", []string{"Good"}, granting(func(r *grants.Request, g *grants.Grant) {
			g.FamilyNotAfter = r.Now
		})},
		{"a family that ends now", []string{"Good"}, granting(func(r *grants.Request, g *grants.Grant) {
			g.FamilyEnd = r.Now
		})},
		{"spends what is spent", []string{"Good"}, spending(storage.Spent, func(*storage.Record) {})},
		{"spends for another grant", []string{"Good"}, spending(storage.Active, func(rec *storage.Record) { rec.GrantID = "h" })},
		{"revokes by Spend", []string{"Good"}, spending(storage.Active, func(rec *storage.Record) { rec.State = storage.Revoked })},
		{"spends what is not stored", []string{"Good"}, granting(func(_ *grants.Request, g *grants.Grant) {
			g.Spend = &storage.Record{Kind: storage.Code, Key: "x", State: storage.Spent}
		})},
		{"stores a token", []string{"StoresNothing"}, granting(func(r *grants.Request, _ *grants.Grant) {
			_ = r.Records.Insert(context.Background(), storage.Record{
				Kind: storage.Access, Key: "t", State: storage.Active, GrantID: "g", ClientID: "c",
				IssuedAt: r.Now, ExpiresAt: r.Now.Add(time.Hour),
			})
		})},
		{"revokes", []string{"StoresNothing"}, granting(func(r *grants.Request, _ *grants.Grant) {
			_ = r.Records.Revoke(context.Background(), "g")
		})},
	}
}

// spending returns a handler that stores a record in this state and spends it.
func spending(state storage.State, change func(rec *storage.Record)) Config {
	return granting(func(r *grants.Request, g *grants.Grant) {
		rec := storage.Record{
			Kind: storage.Code, Key: "k", State: state, GrantID: "g", ClientID: "c",
			IssuedAt: r.Now, ExpiresAt: r.Now.Add(time.Hour),
		}
		if err := r.Records.Insert(context.Background(), rec); err != nil {
			panic(err)
		}
		rec.State = storage.Spent
		change(&rec)
		g.Spend = &rec
	})
}

func wrongRefusals() []wrong {
	refused := []string{"Empty", "Garbage", "Bad"}

	return []wrong{
		{"grants everything", refused, after(func(_ *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
			if err != nil {
				return &grants.Grant{Subject: "mallory"}, nil //nolint:nilerr // wrong on purpose
			}
			return g, nil
		})},
		{"decides nothing", refused, refusing(func(*grants.Request, error) error { return nil })},
		{"a grant beside the error", refused, after(func(_ *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
			if err != nil {
				g = &grants.Grant{Subject: "mallory"}
			}
			return g, err
		})},
		{"an error without a code", refused, refusing(func(*grants.Request, error) error { return errors.New("no such voucher") })},
		{"the server's fault", refused, refusing(func(_ *grants.Request, err error) error { return grants.Unavailable(errors.New("x")) })},
		{"an empty code", refused, refusing(func(*grants.Request, error) error { return &grants.Error{Description: "No."} })},
		{"a code with a line break", refused, refusing(func(*grants.Request, error) error { return &grants.Error{Code: "a\nb"} })},
		{"a text with a quote", refused, refusing(func(*grants.Request, error) error { return grants.InvalidRequest(`The "voucher".`) })},
		{"a text of the caller", []string{"Garbage"}, refusing(func(r *grants.Request, err error) error {
			if strings.HasPrefix(r.Form.Get("voucher"), mark) && len(r.Form.Get("voucher")) == len(mark) {
				return grants.InvalidRequest("No voucher " + r.Form.Get("voucher"))
			}
			return err
		})},
		{"a reason that is a sentence", refused, refusing(func(*grants.Request, error) error {
			return grants.InvalidRequest("No.").For("No such voucher")
		})},
		{"ignores the PIN", []string{"Bad"}, after(func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
			if r.Form.Get("voucher") == "voucher0" {
				return &grants.Grant{Subject: "alice"}, nil
			}
			return g, err
		})},
	}
}

func wrongManners() []wrong {
	return []wrong{
		{"changes the form", []string{"Unchanged"}, after(func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
			r.Form.Del("pin")
			return g, err
		})},
		{"changes a value of the form", []string{"Unchanged"}, after(func(r *grants.Request, g *grants.Grant, err error) (*grants.Grant, error) {
			r.Form["pin"][0] = ""
			return g, err
		})},
		{"changes the client", []string{"Unchanged"}, granting(func(r *grants.Request, _ *grants.Grant) { r.Client.Scope[0] = "admin" })},
		{"replaces the client", []string{"Unchanged"}, granting(func(r *grants.Request, _ *grants.Grant) {
			c := r.Client.Clone()
			r.Client = &c
		})},
		{"keeps the first client", []string{"KeepsNothing"}, keeping(func(first string, g *grants.Grant) { g.Subject += " of " + first })},
		{"keeps the first scope", []string{"KeepsNothing"}, keeping(func(first string, g *grants.Grant) { g.Scope = []string{first} })},
		{"keeps the first limit", []string{"KeepsNothing"}, keeping(func(first string, g *grants.Grant) { g.Limit = []string{first} })},
		{"keeps the first audience", []string{"KeepsNothing"}, keeping(func(first string, g *grants.Grant) { g.Audience = []string{first} })},
		{"keeps the first claims", []string{"KeepsNothing"}, keeping(func(first string, g *grants.Grant) { g.Claims[first] = true })},
		{"one request at a time", []string{"Concurrent"}, config(func(v *vouchers) {
			var busy sync.Mutex
			v.handle = func(v *vouchers, _ context.Context, r *grants.Request) (*grants.Grant, error) {
				if !busy.TryLock() {
					return nil, grants.InvalidGrant("busy")
				}
				defer busy.Unlock()
				time.Sleep(5 * time.Millisecond)
				return v.decide(r)
			}
		})},
		{"a store that fails is a wrong voucher", []string{"StoreFails"}, asking(func(err error) error {
			return grants.InvalidGrant("%w", err)
		})},
		{"spends although the store fails", []string{"StoreFails"}, config(func(v *vouchers) {
			v.handle = func(v *vouchers, ctx context.Context, r *grants.Request) (*grants.Grant, error) {
				g, err := v.decide(r)
				if _, failed := r.Records.Get(ctx, storage.Used, "x"); failed != nil && !errors.Is(failed, storage.ErrNotFound) {
					_ = v.spend(r.Form.Get("voucher"))
					return nil, grants.Unavailable(failed)
				}
				return g, err
			}
		})},
		{"the store's error is public", []string{"StoreFails"}, asking(func(err error) error {
			return &grants.Error{Code: "server_error", Status: 500, Description: err.Error()}
		})},
	}
}

// keeping returns a handler whose decision depends on the first client that it saw.
func keeping(change func(first string, g *grants.Grant)) Config {
	return config(func(v *vouchers) {
		var first *storage.Client
		v.handle = func(v *vouchers, _ context.Context, r *grants.Request) (*grants.Grant, error) {
			g, err := v.decide(r)
			v.mu.Lock()
			defer v.mu.Unlock()
			if first == nil {
				first = r.Client
			}
			if err == nil {
				change(first.ID, g)
			}
			return g, err
		}
	})
}

// asking returns a handler that asks the store.
func asking(failed func(error) error) Config {
	return config(func(v *vouchers) {
		v.handle = func(v *vouchers, ctx context.Context, r *grants.Request) (*grants.Grant, error) {
			_, err := r.Records.Get(ctx, storage.Used, "x")
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return nil, failed(err)
			}
			return v.decide(r)
		}
	})
}

func wrongSpending() []wrong {
	return []wrong{
		{"spends in Handle", []string{"SpendsLast"}, config(func(v *vouchers) {
			v.handle = func(v *vouchers, _ context.Context, r *grants.Request) (*grants.Grant, error) {
				g, err := v.decide(r)
				if err == nil {
					return g, v.spend(r.Form.Get("voucher"))
				}
				return g, err
			}
		})},
		{"spends what it refuses", []string{"Bad", "Garbage"}, config(func(v *vouchers) {
			v.handle = func(v *vouchers, _ context.Context, r *grants.Request) (*grants.Grant, error) {
				g, err := v.decide(r)
				if err != nil {
					_ = v.spend(r.Form.Get("voucher"))
				}
				return g, err
			}
		})},
		{"never spends", []string{"SpendsLast"}, config(func(v *vouchers) { v.noPrepare = true })},
		{"spends twice", []string{"SpendsLast"}, config(func(v *vouchers) {
			v.prepare = func(v *vouchers, _ string) error {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.used++
				return nil
			}
		})},
		{"looks, then spends", []string{"SpendsLast"}, config(func(v *vouchers) {
			v.prepare = func(v *vouchers, voucher string) error {
				v.mu.Lock()
				_, ok := v.open[voucher]
				v.mu.Unlock()
				if !ok {
					return grants.InvalidGrant("the voucher was spent before")
				}
				time.Sleep(10 * time.Millisecond)
				_ = v.spend(voucher)
				return nil
			}
		})},
		{"a loser is a fault of the server", []string{"SpendsLast"}, config(func(v *vouchers) {
			v.prepare = func(v *vouchers, voucher string) error {
				if v.spend(voucher) != nil {
					return errors.New("spent")
				}
				return nil
			}
		})},
	}
}

func wrongPowers() []wrong {
	return []wrong{
		{"an unknown response type", []string{"Powers"}, powered(func(w *withPowers) { w.responseType = "voucher" })},
		{"wraps nothing", []string{"Powers"}, powered(func(w *withPowers) { w.unwrapped = nil })},
		{"identifies no client, without an error", []string{"Powers"}, powered(func(w *withPowers) { w.identify = nil })},
		{"fails to identify", []string{"Powers"}, powered(func(w *withPowers) { w.identify = errors.New("x") })},
		{"accepts every challenge", []string{"Powers"}, powered(func(w *withPowers) { w.PKCE = lax{[]string{"S256"}} })},
		{"refuses S256", []string{"Powers"}, powered(func(w *withPowers) { w.PKCE = strict{} })},
		{"no S256", []string{"Powers"}, powered(func(w *withPowers) { w.PKCE = lax{[]string{"plain"}} })},
	}
}

// wrongHandlers returns all of them.
func wrongHandlers() []wrong {
	return slices.Concat(wrongNames(), wrongDecisions(), wrongRefusals(), wrongManners(), wrongSpending(), wrongPowers())
}

// recorder stands in for *testing.T and records the failures of a rule.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (r *recorder) FailNow()            { runtime.Goexit() }
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// try holds a handler to a rule and returns what failed.
func try(t *testing.T, rule rule, c Config) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rule.hold(newProbe(r, c))
	}()
	<-done

	return r.failures
}

// A handler with one of these faults fails each rule that is about it, and every rule
// has a handler that fails it.
func TestKit_WrongHandlerFails(t *testing.T) {
	t.Parallel()
	byName := map[string]rule{}
	for _, r := range rules() {
		byName[r.name] = r
	}
	caught := map[string]bool{}
	for _, w := range wrongHandlers() {
		for _, name := range w.found {
			r, ok := byName[name]
			require.True(t, ok, "no rule %s", name)
			caught[name] = true
			require.NotEmpty(t, try(t, r, w.Config), "%s: %s passed", w.fault, name)
		}
	}
	for name := range byName {
		require.True(t, caught[name], "no wrong handler fails %s", name)
	}
}

// The right handler holds every rule, with and without the further interfaces.
func TestKit_RightHandlerPasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{"plain": config(nil), "powers": powered(nil)} {
		for _, r := range rules() {
			require.Empty(t, try(t, r, c), "%s: %s", name, r.name)
		}
		t.Run(name, func(t *testing.T) { Run(t, c) })
	}
}
