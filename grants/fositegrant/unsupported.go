package fositegrant

import (
	"reflect"
)

// unsupportedGrants are the grant types that fosite's interface cannot serve safely, each
// with the reason and the replacement.
var unsupportedGrants = map[string]string{
	"authorization_code": "the write that spends a code must also store its tokens; use grants.AuthorizationCode",
	"refresh_token":      "the write that spends a refresh token must also store its successor; use grants.RefreshToken",
	"implicit":           "it begins at the authorization endpoint; use grants.Implicit",
	"urn:ietf:params:oauth:grant-type:device_code": "the write that spends a device code must also store its tokens, and fosite does not limit " +
		"how often a client polls; write a grants.Handler that returns the code's record in Grant.Spend",
}

// handlerPackages is the path above fosite's handler packages.
const handlerPackages = "github.com/ory/fosite/handler/"

// unsupportedHandlers are fosite's own handlers that cannot run as a grant, below
// [handlerPackages], by package or by package and type. They are known by name, because an
// import of their packages would also link fosite's mocks.
var unsupportedHandlers = map[string]string{
	"oauth2.AuthorizeExplicitGrantHandler":     unsupportedGrants["authorization_code"],
	"oauth2.RefreshTokenGrantHandler":          unsupportedGrants["refresh_token"],
	"oauth2.AuthorizeImplicitGrantTypeHandler": unsupportedGrants["implicit"],
	"pkce":       "it needs fosite's own records; grants.AuthorizationCode checks PKCE itself",
	"openid":     "the server takes no ID tokens from a grant",
	"verifiable": "it adds to the answers of fosite's OpenID Connect handlers",
	"rfc8628":    unsupportedGrants["urn:ietf:params:oauth:grant-type:device_code"],
}

// leavesScopes are fosite's own handlers that grant no scope themselves.
var leavesScopes = map[string]bool{
	handlerPackages + "oauth2.ClientCredentialsGrantHandler":                true,
	handlerPackages + "oauth2.ResourceOwnerPasswordCredentialsGrantHandler": true,
}

// unsupported returns why values of a type cannot run as a grant, or "".
func unsupported(t reflect.Type) string {
	name := nameOf(t)
	for known, why := range unsupportedHandlers {
		if name == handlerPackages+known || t.PkgPath() == handlerPackages+known {
			return why
		}
	}
	return ""
}

// nameOf returns the package and the name of a type, or of the type that it points to.
func nameOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() + "." + t.Name()
}
