package fositegrant

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/ory/fosite"
)

// elsewhere are the grant types that fosite's contract cannot serve safely, and what does.
var elsewhere = map[string]string{
	"authorization_code": "a code must be spent in the same write that stores what it buys; use grants.AuthorizationCode",
	"refresh_token":      "a refresh token must be spent in the same write that stores its successor; use grants.RefreshToken",
	"implicit":           "it begins at the authorization endpoint; use grants.Implicit",
	"urn:ietf:params:oauth:grant-type:device_code": "a device code must be spent in the same write that stores what it buys, and fosite's polls know no limit; " +
		"write a grants.Handler that returns the code's record in Grant.Spend",
}

// fositeHandlers is where fosite's own handlers are, and handlersOfFosite those of them that cannot be mapped, by package or by
// package and type. They are known by name, so that their packages, which bring mocks along, are not linked.
const fositeHandlers = "github.com/ory/fosite/handler/"

var handlersOfFosite = map[string]string{
	"oauth2.AuthorizeExplicitGrantHandler":     elsewhere["authorization_code"],
	"oauth2.RefreshTokenGrantHandler":          elsewhere["refresh_token"],
	"oauth2.AuthorizeImplicitGrantTypeHandler": elsewhere["implicit"],
	"pkce":       "it rests on records of fosite's; grants.AuthorizationCode checks PKCE itself",
	"openid":     "the server issues no ID tokens",
	"verifiable": "it adds to the answers of OpenID Connect, which the server does not speak",
	"rfc8628":    elsewhere["urn:ietf:params:oauth:grant-type:device_code"],
}

// leavesScopes are the handlers of fosite's that grant no scope themselves.
var leavesScopes = map[string]bool{
	fositeHandlers + "oauth2.ClientCredentialsGrantHandler":                true,
	fositeHandlers + "oauth2.ResourceOwnerPasswordCredentialsGrantHandler": true,
}

// makers are what a field of a handler could make tokens with or store them by. They have the methods of the
// interfaces in fosite's handler packages.
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
	standIn      = reflect.TypeFor[interface{ standIn() }]()
	tokenHandler = reflect.TypeFor[fosite.TokenEndpointHandler]()
	fositeConfig = reflect.TypeFor[*fosite.Config]()
)

// inspection looks into a handler before it serves.
type inspection struct {
	decides bool // the handler's Populate is never called, so that it may hold what it likes
	seen    map[place]bool
	errs    []error
}

// place is a value in memory, which may be reached in several ways.
type place struct {
	address uintptr
	t       reflect.Type
}

func (i *inspection) bad(path, format string, args ...any) {
	i.errs = append(i.errs, fmt.Errorf("fositegrant: %s: %s", path, fmt.Sprintf(format, args...)))
}

// look judges a handler and the handlers inside it.
func (i *inspection) look(path string, v reflect.Value) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			if !i.decides {
				i.bad(path, "is nil")
			}
			return
		}
		if v.Kind() == reflect.Pointer {
			at := place{v.Pointer(), v.Type()}
			if i.seen[at] {
				return
			}
			i.seen[at] = true
		}
		v = v.Elem()
	}
	t := v.Type()
	if why := unmappable(t); why != "" {
		i.bad(path, "%v cannot run as a grant: %s", t, why)
		return
	}
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

// field judges one field: what it could make, and the handlers that it holds.
func (i *inspection) field(path string, f reflect.StructField, v reflect.Value) {
	inner := v
	if v.Kind() == reflect.Interface && !v.IsNil() {
		inner = v.Elem()
	}
	if makes(f.Type) {
		switch {
		case i.decides:
		case v.Kind() == reflect.Interface && v.IsNil():
			i.bad(path, "is nil, so that PopulateTokenEndpointResponse could not run: put fositegrant.Placeholder{} there, or set Options.HandleOnly")
		case !inner.Type().Implements(standIn):
			i.bad(path, "%v makes or stores tokens of its own, so that two would be issued: put fositegrant.Placeholder{} there (or a struct that embeds it), "+
				"give the field a type that can only read, or set Options.HandleOnly", inner.Type())
		}
		return
	}
	switch {
	case inner.Type() == fositeConfig && inner.CanInterface() && !inner.IsNil():
		settle(inner.Interface().(*fosite.Config))
	case f.Anonymous || inner.Type().Implements(tokenHandler) || f.Type.Implements(tokenHandler) || of(inner.Type()) == fositeHandlers+"oauth2.HandleHelper" || holdsHandlers(f.Type):
		i.look(path, v)
	}
}

// settling is held by one New at a time, as several may be given one configuration.
var settling sync.Mutex

// settle makes a configuration's getters read only. They fill empty fields at their first call, without a lock.
func settle(c *fosite.Config) {
	settling.Lock()
	defer settling.Unlock()
	ctx := context.Background()
	c.GetScopeStrategy(ctx)
	c.GetAudienceStrategy(ctx)
	c.GetSecretsHasher(ctx)
	c.GetJWKSFetcherStrategy(ctx)
}

// makes tells whether a field of this type can make or store tokens.
func makes(t reflect.Type) bool {
	for _, m := range makers {
		if t.Implements(m) || t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

func holdsHandlers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return t.Elem().Implements(tokenHandler)
	}
	return false
}

// of returns a type's package and name, whether it is a pointer or not.
func of(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() + "." + t.Name()
}

func unmappable(t reflect.Type) string {
	name := of(t)
	for known, why := range handlersOfFosite {
		if name == fositeHandlers+known || t.PkgPath() == fositeHandlers+known {
			return why
		}
	}
	return ""
}
