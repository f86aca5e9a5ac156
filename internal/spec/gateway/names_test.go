package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/seam"
)

// An XML element has the name of its member: letters of both cases, digits, _ and -.
//
// Holds: house: gateway formats.
func TestXML_KeepsNames(t *testing.T) {
	t.Parallel()
	const name = "aAzZ09_-"
	_, body := encode(t, "xml", seam.Members{seam.Text(name, "x"), seam.Text("{[`@:/", "y")})
	require.Contains(t, body, "<"+name+">x</"+name+">")
	require.Contains(t, body, "<______>y</______>")
}
