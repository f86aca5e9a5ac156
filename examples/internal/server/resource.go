package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/introspect"
)

// resource returns the protected resource. The authorization server is in the same
// process and answers about tokens itself, so a check needs no HTTP request. The
// program examples/resource is a resource server in a process of its own.
func (a *app) resource(gateway bool) http.Handler {
	guard := introspect.Guard{
		Introspector:  a.srv,
		Audience:      []string{a.srv.Issuer()},
		GatewayStatus: gateway,
	}

	return guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, ok := introspect.FromContext(r.Context())
		if !ok {
			http.Error(w, "error: no token", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "Congrats! You've hit an OAuth protected resource")
		fmt.Fprintf(w, "subject %s, client %s, scope %s\n",
			t.Subject, t.ClientID, strings.Join(t.Scope, " "))
	}))
}
