package grantwell_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage/memstore"
)

// staff stands for the host's own sign-in. It knows who sent a request, and
// what they may do.
type staff map[string]string

func (s staff) authorize(r *http.Request) (actor string, err error) {
	session, err := r.Cookie("session")
	if err != nil {
		return "", errors.New("not signed in")
	}
	name, role, ok := strings.Cut(s[session.Value], "/")
	if !ok {
		return "", errors.New("no such session")
	}
	if role != "admin" && r.Method != http.MethodGet {
		return "", errors.New("may only look")
	}
	return name, nil
}

// The host mounts the administration and decides who may use it: here the
// staff may read, and administrators may change.
func ExampleServer_Admin() {
	store := memstore.New()
	srv, err := grantwell.New(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants:  []grants.Handler{grants.ClientCredentials{}},
		Events: func(_ context.Context, e grantwell.Event) {
			if e.Actor != "" {
				fmt.Println("event:", e.Actor, e.Action, e.ClientID, e.Outcome)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	admin, err := srv.Admin(grantwell.AdminConfig{Authorize: staff{
		"s3": "carol/admin",
		"s7": "dave/support",
	}.authorize})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/", srv.Handler())
	mux.Handle("/admin/", http.StripPrefix("/admin", admin))

	ask := func(method, path, session, body string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: "session", Value: session})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(method, path, w.Code)
	}
	billing := `{"client_id":"billing","grant_types":["client_credentials"],"scope":"invoices"}`
	ask("POST", "/admin/clients", "s7", billing)
	ask("POST", "/admin/clients", "s3", billing)
	ask("GET", "/admin/clients/billing", "s7", "")
	ask("POST", "/admin/clients/billing/disable", "s3", "")
	ask("GET", "/admin/clients", "stolen", "")
	// Output:
	// POST /admin/clients 403
	// event: carol client.create billing ok
	// POST /admin/clients 201
	// event: dave client.read billing ok
	// GET /admin/clients/billing 200
	// event: carol client.disable billing ok
	// POST /admin/clients/billing/disable 200
	// GET /admin/clients 403
}

// Users see what they granted to which application, and withdraw it.
func ExampleServer_Account() {
	store := memstore.New()
	srv, err := grantwell.New(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: store,
		Records: store,
		Grants:  []grants.Handler{grants.ClientCredentials{}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	account, err := srv.Account(grantwell.AccountConfig{Subject: func(r *http.Request) (string, error) {
		return "alice", nil // the user of the request's session
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/account/", http.StripPrefix("/account", account))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/account/consents", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 {"consents":[]}
}
