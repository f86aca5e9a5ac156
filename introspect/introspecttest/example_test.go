package introspecttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/introspect/introspecttest"
)

const api = "https://api.example.com"

// newHandler is the host's own code. It takes the Introspector as a parameter,
// so that a test can bring another one.
func newHandler(in introspect.Introspector) http.Handler {
	guard := introspect.Guard{
		Introspector: in,
		Audience:     []string{api},
	}
	notes := func(w http.ResponseWriter, r *http.Request) {
		token, _ := introspect.FromContext(r.Context())
		_, _ = io.WriteString(w, "notes of "+token.Subject)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /notes", guard.Require("notes.read")(http.HandlerFunc(notes)))
	return mux
}

func Example() {
	tokens := &introspecttest.Introspector{Audience: []string{api}}
	handler := newHandler(tokens)

	get := func(t introspect.Token) {
		r := httptest.NewRequest(http.MethodGet, "/notes", nil)
		tokens.Authorize(r, t)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	get(introspect.Token{Subject: "alice", Scope: []string{"notes.read"}})
	get(introspect.Token{Subject: "alice"})
	get(introspect.Token{Reason: introspect.ReasonExpired})
	// Output:
	// 200 notes of alice
	// 403 {"error":"insufficient_scope","error_description":"The access token lacks a needed scope"}
	// 401 {"error":"invalid_token","error_description":"The access token has expired"}
}
