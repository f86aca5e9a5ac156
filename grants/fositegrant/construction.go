package fositegrant

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// inspect returns every reason why the handler cannot run as a grant.
func (g *grant) inspect() error {
	in := &inspection{handleOnly: g.HandleOnly, seen: map[place]bool{}}
	notPrintable := func(r rune) bool { return r <= ' ' || r > '~' }
	if g.GrantType() == "" || strings.ContainsFunc(g.GrantType(), notPrintable) {
		in.refuse(
			"Options.GrantType",
			"needs the grant_type that the handler serves, in printable ASCII",
		)
	} else if why := unsupportedGrants[g.GrantType()]; why != "" {
		in.refuse("Options.GrantType", "%s: %s", g.GrantType(), why)
	}

	// The checks go on after a failure, so that the host sees every reason at once.
	if err := g.checkSession(); err != nil {
		in.errs = append(in.errs, err)
	}

	v := reflect.ValueOf(g.handler)
	if g.handler == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		in.refuse("handler", "is nil")
		return errors.Join(in.errs...)
	}

	// A handler that grants no scope would run, and every token would be without scope.
	in.look("handler", v)
	if leavesScopes[nameOf(v.Type())] && !g.GrantRequested {
		in.refuse(
			"Options.GrantRequested",
			"%T grants no scope itself: set GrantRequested, or wrap the handler in one that calls GrantScope",
			g.handler,
		)
	}

	// The handler is called only if nothing is wrong with what it holds.
	if len(in.errs) == 0 {
		if err := g.ask(); err != nil {
			in.errs = append(in.errs, err)
		}
	}
	return errors.Join(in.errs...)
}

// checkSession refuses a NewSession that returns nil or the same session twice. Requests
// that share a session would get each other's subject.
func (g *grant) checkSession() error {
	a := reflect.ValueOf(g.NewSession())
	b := reflect.ValueOf(g.NewSession())
	if !a.IsValid() || a.Kind() == reflect.Pointer && a.IsNil() {
		return errors.New("fositegrant: Options.NewSession: returns nil")
	}

	// Pointers to values of size zero may be equal although the values differ.
	pointers := a.Kind() == reflect.Pointer && b.Kind() == reflect.Pointer
	if pointers && a.Pointer() == b.Pointer() && a.Type().Elem().Size() > 0 {
		return errors.New(
			"fositegrant: Options.NewSession: returns the same session twice, so that requests would share it",
		)
	}
	return nil
}

// ask calls the two methods of the handler that describe it, and compares their answers
// with the options.
func (g *grant) ask() (err error) {
	// A handler may rely on a complete request, which this is not.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf(
				"fositegrant: handler: %T panicked when New asked whether it serves %q: %T",
				g.handler,
				g.GrantType(),
				p,
			)
		}
	}()

	r := &grants.Request{
		Form:   map[string][]string{"grant_type": {g.GrantType()}},
		Client: &storage.Client{},
	}
	ctx := within(context.Background())
	ar := g.request(r, g.NewSession())
	if !g.handler.CanHandleTokenEndpointRequest(ctx, ar) {
		return fmt.Errorf(
			"fositegrant: handler: CanHandleTokenEndpointRequest of %T does not accept the grant type %q",
			g.handler,
			g.GrantType(),
		)
	}

	// Without client authentication only Identify can name the client. With it, Identify
	// would never be called.
	skips := g.handler.CanSkipClientAuth(ctx, ar)
	switch {
	case skips && g.Options.Identify == nil:
		return fmt.Errorf(
			"fositegrant: handler: CanSkipClientAuth of %T reports true, and the server issues no tokens without a client: "+
				"let it report false, or set Options.Identify to name the client",
			g.handler,
		)
	case !skips && g.Options.Identify != nil:
		return fmt.Errorf(
			"fositegrant: Options.Identify: CanSkipClientAuth of %T reports false, so that clients authenticate: leave Identify out",
			g.handler,
		)
	}
	return nil
}
