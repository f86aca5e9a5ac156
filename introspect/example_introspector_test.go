package introspect_test

import (
	"context"
	"fmt"

	"github.com/grantwell/grantwell/introspect"
)

// Any type with the method can be the Introspector: the server itself, a
// Remote, a LocalJWT, or, as in this example, a table for tests. For a token
// that is not good it returns an answer. An error means that there is no
// answer.
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
