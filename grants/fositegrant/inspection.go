package fositegrant

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/ory/fosite"
)

// makers are the methods by which a field of a handler could make or store tokens. They
// are those of the interfaces in fosite's handler packages.
var makers = []reflect.Type{
	reflect.TypeFor[interface {
		GenerateAccessToken(context.Context, fosite.Requester) (string, string, error)
	}](),
	reflect.TypeFor[interface {
		GenerateRefreshToken(context.Context, fosite.Requester) (string, string, error)
	}](),
	reflect.TypeFor[interface {
		GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error)
	}](),
	reflect.TypeFor[interface {
		GenerateIDToken(context.Context, time.Duration, fosite.Requester) (string, error)
	}](),
	reflect.TypeFor[interface {
		CreateAccessTokenSession(context.Context, string, fosite.Requester) error
	}](),
	reflect.TypeFor[interface {
		CreateRefreshTokenSession(context.Context, string, string, fosite.Requester) error
	}](),
	reflect.TypeFor[interface {
		CreateAuthorizeCodeSession(context.Context, string, fosite.Requester) error
	}](),
}

var (
	placeholderType = reflect.TypeFor[interface{ isPlaceholder() }]()
	handlerType     = reflect.TypeFor[fosite.TokenEndpointHandler]()
	configType      = reflect.TypeFor[*fosite.Config]()
)

// inspection looks into a handler before the handler serves a request.
type inspection struct {
	// handleOnly says that the handler never makes a response, so that its fields may
	// hold anything.
	handleOnly bool

	seen map[place]bool
	errs []error
}

// place is a value in memory. A handler may lead to it by several fields.
type place struct {
	address uintptr
	t       reflect.Type
}

// refuse adds a reason against the value at path.
func (i *inspection) refuse(path, format string, args ...any) {
	i.errs = append(i.errs, fmt.Errorf("fositegrant: %s: %s", path, fmt.Sprintf(format, args...)))
}

// look judges a handler and the handlers inside it. path is how a host would write the
// value, for the error.
func (i *inspection) look(path string, v reflect.Value) {
	v, ok := i.follow(path, v)
	if !ok {
		return
	}

	// The type is judged before its fields, so that the host reads one reason and not one
	// for each field.
	t := v.Type()
	if why := unsupported(t); why != "" {
		i.refuse(path, "%v cannot run as a grant: %s", t, why)
		return
	}

	// Handlers hide in structs, and in the lists and maps of a dispatcher.
	switch v.Kind() {
	case reflect.Struct:
		for n := range t.NumField() {
			i.field(path+"."+t.Field(n).Name, t.Field(n), v.Field(n))
		}
	case reflect.Slice, reflect.Array:
		for n := range v.Len() {
			i.look(fmt.Sprintf("%s[%d]", path, n), v.Index(n))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			i.look(path+"["+it.Key().String()+"]", it.Value())
		}
	}
}

// follow returns the value behind pointers and interfaces. It reports false for a nil
// value and for one that was judged before, because a handler may hold itself.
func (i *inspection) follow(path string, v reflect.Value) (reflect.Value, bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			if !i.handleOnly {
				i.refuse(path, "is nil")
			}
			return v, false
		}

		if v.Kind() == reflect.Pointer {
			at := place{v.Pointer(), v.Type()}
			if i.seen[at] {
				return v, false
			}
			i.seen[at] = true
		}
		v = v.Elem()
	}
	return v, true
}

// field judges one field of a handler.
func (i *inspection) field(path string, f reflect.StructField, v reflect.Value) {
	// The value in an interface decides, if there is one.
	inner := v
	if v.Kind() == reflect.Interface && !v.IsNil() {
		inner = v.Elem()
	}

	// Other fields are the host's own and are not looked into.
	switch {
	case makesTokens(f.Type):
		i.maker(path, v, inner)
	case inner.Type() == configType && inner.CanInterface() && !inner.IsNil():
		fillDefaults(inner.Interface().(*fosite.Config))
	case f.Anonymous, holdsHandlers(f.Type), isHandler(f.Type), isHandler(inner.Type()):
		i.look(path, v)
	}
}

// maker judges a field that could make or store tokens: it must hold a Placeholder.
func (i *inspection) maker(path string, v, inner reflect.Value) {
	switch {
	case i.handleOnly:
	case v.Kind() == reflect.Interface && v.IsNil():
		i.refuse(
			path,
			"is nil, so that PopulateTokenEndpointResponse would fail: set it to fositegrant.Placeholder{}, or set Options.HandleOnly",
		)
	case !inner.Type().Implements(placeholderType):
		i.refuse(
			path,
			"%v makes or stores tokens of its own, so that two sets would be issued: set the field to fositegrant.Placeholder{} "+
				"(or a struct that embeds it), give it a type that can only read, or set Options.HandleOnly",
			inner.Type(),
		)
	}
}

// makesTokens reports whether a field of this type can make or store tokens.
func makesTokens(t reflect.Type) bool {
	for _, m := range makers {
		// A struct in a field can be addressed, so its pointer's methods count too.
		if t.Implements(m) || t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

// isHandler reports whether values of this type are handlers, or the helper by which
// fosite's handlers issue tokens.
func isHandler(t reflect.Type) bool {
	return t.Implements(handlerType) || nameOf(t) == handlerPackages+"oauth2.HandleHelper"
}

// holdsHandlers reports whether this is a list or a map of handlers.
func holdsHandlers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return t.Elem().Implements(handlerType)
	}
	return false
}

// filling is held while defaults are filled in, because several calls of New may be given
// the same configuration.
var filling sync.Mutex

// fillDefaults calls the getters that fill empty fields of a configuration without a lock,
// so that they only read later.
func fillDefaults(c *fosite.Config) {
	filling.Lock()
	defer filling.Unlock()

	ctx := context.Background()
	c.GetScopeStrategy(ctx)
	c.GetAudienceStrategy(ctx)
	c.GetSecretsHasher(ctx)
	c.GetJWKSFetcherStrategy(ctx)
}
