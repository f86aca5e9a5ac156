package grantwell_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/introspect"
)

// A hook adds claims before tokens are made, and may refuse them.
func ExampleHooks() {
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			if i.Client.ID == "app" {
				return grantwell.AccessDenied("The application has no contract.")
			}
			i.Claims["plan"] = "gold"
			i.Response["plan"] = "gold"
			return nil
		}
	})
	res := answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
	token, err := srv.Introspect(context.Background(), res["access_token"].(string))
	fmt.Println(res["plan"], token.Extra["plan"], err)
	// Output: gold gold <nil>
}

// Validate sees each live token that is looked up. It may call the token dead, or add
// to what resources see.
func ExampleHooks_validate() {
	blocked := []string{"batch"}
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Hooks.Validate = func(_ context.Context, t *introspect.Token) error {
			if slices.Contains(blocked, t.ClientID) {
				return grantwell.AccessDenied("The client is blocked.")
			}
			return nil
		}
	})
	res := answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
	token, err := srv.Introspect(context.Background(), res["access_token"].(string))
	fmt.Println(token.Active, err)
	// Output: false <nil>
}

// An event tells the host the outcome of each request. The reason fits a metric's
// label.
func ExampleEvent() {
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Events = func(_ context.Context, e grantwell.Event) {
			fmt.Printf("%s of %s: %s %q\n", e.Endpoint, e.ClientID, e.Outcome, e.Reason)
		}
	})
	answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
	answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials&scope=photos.write"))
	// Output:
	// token of batch: ok ""
	// token of batch: refused "scope"
}

// A host that chooses among its events can write the rest of them as the server does.
func ExampleLogEvents() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if slices.Contains([]string{"time", "duration", "request_id", "grant_id", "remote"}, a.Key) {
				return slog.Attr{} // they differ at each run
			}
			return a
		},
	}))
	write := grantwell.LogEvents(log)
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Events = func(ctx context.Context, e grantwell.Event) {
			if e.Outcome != "ok" {
				write(ctx, e)
			}
		}
	})
	answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
	answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=urn:example:unknown"))
	// Output:
	// level=WARN msg=oauth event.endpoint=token event.outcome=refused event.status=400 event.client_id=batch event.error=unsupported_grant_type event.reason=grant_type event.cause="The grant type is not supported."
}

// The host's own rule has the last word on scopes: here an office has them in the
// daytime only.
func ExampleScopeRules() {
	open := false
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Scopes.Decide = func(_ context.Context, r grantwell.ScopeRequest) ([]string, error) {
			if !open {
				return nil, grantwell.InvalidScope("The office is closed.")
			}
			return r.Allowed, nil
		}
	})
	for _, open = range []bool{false, true} {
		res := answer(srv.TokenHandler(), tokenRequest("batch", "grant_type=client_credentials"))
		fmt.Println(res["error_description"], res["scope"])
	}
	// Output:
	// The office is closed. <nil>
	// <nil> photos.read
}

// An error page of the host replaces the built-in one.
func ExampleConfig_errorPage() {
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.ErrorPage = func(w http.ResponseWriter, _ *http.Request, status int, code, description string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "Sorry: %s (%s)", description, code)
		}
	})
	w := httptest.NewRecorder()
	srv.ParseAuthorize(w, httptest.NewRequest(http.MethodGet, "https://as.example/authorize?client_id=unknown", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 400 Sorry: The client is not known here. (invalid_client)
}
