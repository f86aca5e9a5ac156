package fositegrant_test

import (
	"testing"

	"github.com/ory/fosite/compose"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/grants/grantstest"
)

// A handler of fosite that runs as a grant holds the contract of grants.Handler: a
// team's own handler, and two of fosite's.
func TestContract_OfAdaptedHandlers(t *testing.T) {
	t.Parallel()
	logins := struct {
		fositegrant.Placeholder
		logins
	}{logins: logins{"ann": "correct horse"}}

	for name, c := range map[string]grantstest.Config{
		"exchange": {
			New: func() grants.Handler { return asGrant(t, exchange{}, fositegrant.Options{}) },
			Good: func(_ testing.TB, _ grants.Handler, r *grants.Request) {
				r.Form.Set("subject_token", "token of ann")
			},
		},
		"client credentials": {
			New: func() grants.Handler {
				return fositeGrant(t, compose.OAuth2ClientCredentialsGrantFactory, fositegrant.Placeholder{},
					fositegrant.Options{GrantType: "client_credentials", GrantRequested: true})
			},
			Good:     func(testing.TB, grants.Handler, *grants.Request) {},
			Formless: true,
		},
		"password": {
			New: func() grants.Handler {
				//lint:ignore SA1019 a host that still has the password handler may move here
				return fositeGrant(t, compose.OAuth2ResourceOwnerPasswordCredentialsFactory, logins,
					fositegrant.Options{GrantType: "password", GrantRequested: true})
			},
			Good: func(_ testing.TB, _ grants.Handler, r *grants.Request) {
				r.Form.Set("username", "ann")
				r.Form.Set("password", "correct horse")
			},
			Bad: map[string]func(testing.TB, grants.Handler, *grants.Request){
				"a wrong password": func(_ testing.TB, _ grants.Handler, r *grants.Request) {
					r.Form.Set("password", "battery staple")
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grantstest.Run(t, c)
		})
	}
}
