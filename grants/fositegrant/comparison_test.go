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

var updateComparison = flag.Bool("update", false, "write the tables of README.md from what is observed")

// finding is something that goes wrong at fosite, and how to see whether it does at
// any server.
type finding struct {
	what string
	// try does it and says what came of it, and whether the hole is there.
	try func(c *contender) (saw string, open bool)

	fosite    func(*fositeSetup)                         // what the finding needs of the setup; nil: nothing
	grantwell func(t testing.TB) func(*grantwell.Config) // likewise
	claims    map[string]any                             // which Grantwell's host gives every login

	// closes is what closes it at fosite. With a setup the test sees that it does;
	// without one, closes is a place for code of the host's own.
	closes string
	setup  func(*fositeSetup)
}

// lacking is something that fosite has and Grantwell does not.
type lacking struct {
	what string
	try  func(c *contender) (saw string, has bool)
}

// Every finding is there at fosite and not at Grantwell. One client drives both
// through HTTP, and the tables of README.md say what was seen. The test does not
// run beside other tests: some findings are measured by what the process allocates.
func TestComparison(t *testing.T) {
	var doc bytes.Buffer
	line := func(cells ...string) {
		for i, cell := range cells {
			require.LessOrEqual(t, len(cell), 110, cell)
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		doc.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line("What is tried", "fosite v0.49.0", "Grantwell", "Setting or hook in fosite that closes it")
	line("---", "---", "---", "---")
	for _, f := range slices.Concat(codeFindings(), refreshFindings(), clientFindings(), tokenEndpointFindings(), introspectionFindings(), revocationFindings(),
		authorizeFindings(), parFindings(), bearerFindings(), jwtFindings()) {
		t.Run(f.what, func(t *testing.T) {
			theirs, open := f.try(newFosite(t, f.fosite))
			require.True(t, open, "not seen at fosite: %s", theirs)
			var change func(*grantwell.Config)
			if f.grantwell != nil {
				change = f.grantwell(t)
			}
			ours, open := f.try(newGrantwell(t, f.claims, change))
			require.False(t, open, "seen at Grantwell: %s", ours)
			if f.setup != nil {
				saw, open := f.try(newFosite(t, func(s *fositeSetup) {
					if f.fosite != nil {
						f.fosite(s)
					}
					f.setup(s)
				}))
				require.False(t, open, "%s does not close it: %s", f.closes, saw)
			}
			closes := f.closes
			if closes == "" {
				closes = "none"
			}
			line(f.what, theirs, ours, closes)
		})
	}
	doc.WriteString("\nWhere Grantwell does less:\n\n")
	line("What is asked for", "fosite v0.49.0", "Grantwell")
	line("---", "---", "---")
	for _, l := range lessThanFosite() {
		t.Run(l.what, func(t *testing.T) {
			theirs, has := l.try(newFosite(t, nil))
			require.True(t, has, "fosite does not have it: %s", theirs)
			ours, has := l.try(newGrantwell(t, nil, nil))
			require.False(t, has, "Grantwell has it by now, move it: %s", ours)
			line(l.what, theirs, ours)
		})
	}
	if t.Failed() {
		return
	}
	goldenPart(t, "README.md", "<!-- comparison -->\n", "<!-- /comparison -->", doc.String())
}

// goldenPart compares the part of a file between two marks with what it should be.
// With -update it writes that part.
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
	require.Equal(t, want, got, "%s is not what is observed; run the test with -update", path)
}
