package introspect_test

import (
	"context"
	"fmt"

	"github.com/grantwell/grantwell/introspect"
)

// Whatever answers about tokens will do: the server itself, another one, signed tokens, or as here a table of tests. A token
// that is not good is an answer, not an error: an error means that nobody knows.
func ExampleIntrospector() {
	var tokens introspect.Introspector = server
	for _, token := range []string{"2YotnFZFEjr1zCsicMWpAA", "garbage"} {
		t, err := tokens.Introspect(context.Background(), token)
		fmt.Println(t.Active, t.Subject, t.Scope, err)
	}
	// Output:
	// true alice [notes.read] <nil>
	// false  [] <nil>
}
