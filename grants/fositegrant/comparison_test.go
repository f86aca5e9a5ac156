package fositegrant_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
)

// updateComparison makes TestComparison write the tables of README.md.
var updateComparison = flag.Bool("update", false, "write the observed answers to README.md")

// finding is a weakness of fosite, and a way to observe whether a server has it.
type finding struct {
	what string

	// try returns what it observed in a few words, and whether the server has the weakness.
	try func(c *contender) (saw string, weak bool)

	// fosite and grantwell adjust the servers for the finding. Either may be nil.
	fosite    func(*fositeSetup)
	grantwell func(t testing.TB) func(*grantwell.Config)

	// claims are the claims that Grantwell's host adds to every login.
	claims map[string]any

	// closes names what removes the weakness from fosite. With setup the test shows that
	// it does. Without setup the host has to write code there.
	closes string
	setup  func(*fositeSetup)
}

// lacking is a feature that fosite has and Grantwell does not have.
type lacking struct {
	what string
	try  func(c *contender) (saw string, has bool)
}

// fosite has every weakness of the list, and Grantwell has none. One client sends the
// same requests to both servers over HTTP, and the tables of README.md show the answers.
// The test does not run in parallel with others, because some findings are measured by
// the memory that the process allocates.
func TestComparison(t *testing.T) {
	var doc bytes.Buffer
	line := func(cells ...string) {
		for i, cell := range cells {
			require.LessOrEqual(t, len(cell), 110, cell)
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		doc.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line("Attempt", "fosite v0.49.0", "Grantwell", "Setting or hook in fosite that prevents it")
	line("---", "---", "---", "---")
	findings := slices.Concat(
		codeFindings(),
		refreshFindings(),
		clientFindings(),
		tokenEndpointFindings(),
		introspectionFindings(),
		revocationFindings(),
		authorizeFindings(),
		parFindings(),
		bearerFindings(),
		jwtFindings(),
	)
	for _, f := range findings {
		t.Run(f.what, func(t *testing.T) {
			theirs, weak := f.try(newFosite(t, f.fosite))
			require.True(t, weak, "fosite does not have this weakness: %s", theirs)
			var change func(*grantwell.Config)
			if f.grantwell != nil {
				change = f.grantwell(t)
			}
			ours, weak := f.try(newGrantwell(t, f.claims, change))
			require.False(t, weak, "Grantwell has this weakness: %s", ours)
			if f.setup != nil {
				saw, weak := f.try(newFosite(t, func(s *fositeSetup) {
					if f.fosite != nil {
						f.fosite(s)
					}
					f.setup(s)
				}))
				require.False(t, weak, "%s does not prevent it: %s", f.closes, saw)
			}
			closes := f.closes
			if closes == "" {
				closes = "none"
			}
			line(f.what, theirs, ours, closes)
		})
	}
	doc.WriteString("\nWhere Grantwell does less:\n\n")
	line("Request", "fosite v0.49.0", "Grantwell")
	line("---", "---", "---")
	for _, l := range lessThanFosite() {
		t.Run(l.what, func(t *testing.T) {
			theirs, has := l.try(newFosite(t, nil))
			require.True(t, has, "fosite does not have it: %s", theirs)
			ours, has := l.try(newGrantwell(t, nil, nil))
			require.False(t, has, "Grantwell has this now, so remove it from the list: %s", ours)
			line(l.what, theirs, ours)
		})
	}
	if t.Failed() {
		return
	}
	goldenPart(t, "README.md", "<!-- comparison -->\n", "<!-- /comparison -->", doc.String())
}

// goldenPart compares the part of a file between two marks with the wanted text. With
// -update it writes that part.
func goldenPart(t *testing.T, path, from, to, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(b), from)
	require.True(t, ok, "%s has no %q", path, from)
	got, after, ok := strings.Cut(rest, to)
	require.True(t, ok, "%s has no %q", path, to)
	if *updateComparison {
		require.NoError(t, os.WriteFile(path, []byte(before+from+want+to+after), 0o644))
		return
	}
	require.Equal(t, want, got, "%s differs from the observed answers; run the test with -update", path)
}
