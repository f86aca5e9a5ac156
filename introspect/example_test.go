package introspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/grantwell/grantwell/introspect"
)

// known takes the place of the authorization server.
type known map[string]introspect.Token

func (k known) Introspect(_ context.Context, token string) (*introspect.Token, error) {
	t, ok := k[token]
	if !ok {
		return &introspect.Token{Reason: introspect.ReasonUnknown}, nil
	}
	return &t, nil
}

var server = known{"2YotnFZFEjr1zCsicMWpAA": {Active: true, Subject: "alice", ClientID: "shop", Scope: []string{"notes.read"}, Audience: []string{"https://api.example.com"}}}

// Each route needs its own scopes. The handler finds the token in the context.
func ExampleGuard_Require() {
	guard := introspect.Guard{Introspector: server, Audience: []string{"https://api.example.com"}, Realm: "notes"}
	notes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := introspect.FromContext(r.Context())
		fmt.Fprintln(w, "hello", token.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /notes", guard.Require("notes.read")(notes))
	mux.Handle("POST /notes", guard.Require("notes.write")(notes))

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := httptest.NewRequest(method, "/notes", nil)
		r.Header.Set("Authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello alice
	//
	// 403 {"error":"insufficient_scope","error_description":"The access token lacks a needed scope"}
}

// A copy of a Guard is the profile of one route.
func ExampleGuard_profile() {
	guard := introspect.Guard{Introspector: server, Audience: []string{"https://api.example.com"}}
	either := guard
	either.Match = introspect.Any
	handler := either.Require("notes.read", "notes.admin")(http.NotFoundHandler())

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer unknown")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// 401 Bearer realm="api", error="invalid_token", error_description="The access token is not valid"
}

// Remote asks an authorization server elsewhere. A revocation is seen within
// ten seconds.
func ExampleRemote() {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"active":true,"sub":"alice","scope":"notes.read"}`)
	}))
	defer as.Close()
	remote := &introspect.Remote{Endpoint: as.URL + "/introspect", ClientID: "notes", ClientSecret: "s3cret", MaxAge: 10 * time.Second}
	token, err := remote.Introspect(context.Background(), "2YotnFZFEjr1zCsicMWpAA")
	fmt.Println(token.Active, token.Subject, token.Scope, err)
	// Output:
	// true alice [notes.read] <nil>
}

// LocalJWT verifies signed tokens without asking. For garbage it returns an
// answer and no error.
func ExampleLocalJWT() {
	jwt := &introspect.LocalJWT{Issuer: "https://as.example.com", Audience: []string{"https://api.example.com"}, JWKSURI: "https://as.example.com/jwks"}
	token, err := jwt.Introspect(context.Background(), "garbage")
	fmt.Println(token.Active, token.Reason, err)
	// Output:
	// false malformed <nil>
}

// The JSON of a token that is not active has no other member.
func ExampleToken_MarshalJSON() {
	for _, token := range []introspect.Token{server["2YotnFZFEjr1zCsicMWpAA"], {Reason: introspect.ReasonRevoked, Subject: "alice"}} {
		data, err := json.Marshal(token)
		fmt.Println(string(data), err)
	}
	// Output:
	// {"active":true,"aud":"https://api.example.com","client_id":"shop","scope":"notes.read","sub":"alice"} <nil>
	// {"active":false} <nil>
}

// Metadata names the authorization servers to clients.
func ExampleMetadata() {
	m := introspect.Metadata{Resource: "https://api.example.com/v1", AuthorizationServers: []string{"https://as.example.com"}}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, m.URL(), nil))
	fmt.Println(m.Path())
	fmt.Println(w.Body)
	// Output:
	// /.well-known/oauth-protected-resource/v1
	// {"authorization_servers":["https://as.example.com"],"bearer_methods_supported":["header"],"resource":"https://api.example.com/v1"}
}
