package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/introspect"
)

// resource is what the tokens are for. The server itself answers about tokens, so no call leaves the process; see
// examples/resource for a resource server apart.
func (a *app) resource(gateway bool) http.Handler {
	guard := introspect.Guard{Introspector: a.srv, Audience: []string{a.srv.Issuer()}, GatewayStatus: gateway}
	return guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, ok := introspect.FromContext(r.Context())
		if !ok {
			http.Error(w, "error: no token", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, "Congrats! You've hit an OAuth protected resource\nsubject %s, client %s, scope %s\n", t.Subject, t.ClientID, strings.Join(t.Scope, " "))
	}))
}
