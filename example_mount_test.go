package grantwell_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/grantwell/grantwell"
)

// The server's endpoints stand beside the host's pages in one mux.
func ExampleServer_Mount() {
	srv := exampleServer(nil)
	mux := http.NewServeMux()
	srv.Mount(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the host's page")) })

	get := func(method, path string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		fmt.Println(method, path, w.Code)
	}
	get("GET", "/about")
	get("GET", "/.well-known/oauth-authorization-server")
	get("GET", "/token")
	// Output:
	// GET /about 200
	// GET /.well-known/oauth-authorization-server 200
	// GET /token 405
}

// Another router gets the same routes one by one.
func ExampleServer_Routes() {
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Issuer = "https://example.com/auth"
		cfg.Paths.Revoke = "-"
		cfg.Paths.Introspect = "-"
	})
	for _, route := range srv.Routes() {
		if route.Method == http.MethodGet || route.Method == http.MethodPost {
			fmt.Println(route.Method, route.Path)
		}
	}
	// Output:
	// GET /auth/token
	// POST /auth/token
	// GET /.well-known/oauth-authorization-server/auth
	// POST /.well-known/oauth-authorization-server/auth
}

// A listener of its own needs one handler.
func ExampleServer_Handler() {
	srv := exampleServer(nil)
	w := httptest.NewRecorder()
	srv.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "//token", nil))
	fmt.Println(w.Code, srv.URL(srv.Paths().Token))
	// Output: 404 https://as.example/token
}
