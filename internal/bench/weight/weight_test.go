package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// README says what Grantwell weighs: packages, modules and lines of go.sum exactly,
// the binary within 5 %, because each release of Go changes it a little. The
// figures of the others change with their releases only, and are measured by hand.
func TestReadme_SaysWhatGrantwellWeighs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("links a program")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the figures are those of linux/amd64")
	}
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, table, _, err := cut(string(text))
	require.NoError(t, err)
	rows := strings.Split(strings.TrimSpace(table), "\n")
	require.Len(t, rows, 7)

	f, err := grantwell.measure(t.Context(), root)
	require.NoError(t, err)
	want := f.cells()
	const hint = "README.md is not what is measured: go run -C internal/bench ./weight -write"
	for i, row := range rows[2:] {
		cells := strings.Split(row, "|")
		require.Greater(t, len(cells), 2, row)
		said := strings.TrimSpace(cells[2])
		if i < len(want)-1 {
			require.Equal(t, want[i], said, "%s: %s", hint, row)
			continue
		}
		megabytes, err := strconv.ParseFloat(said, 64)
		require.NoError(t, err)
		require.InEpsilon(t, float64(f.binary)/1e6, megabytes, 0.05, "%s: %s", hint, row)
	}
}

func TestCut_NeedsBothMarks(t *testing.T) {
	t.Parallel()
	before, table, after, err := cut("a\n" + begin + "| x |\n" + end + "\nb")
	require.NoError(t, err)
	require.Equal(t, []string{"a\n", "| x |\n", "\nb"}, []string{before, table, after})
	for _, text := range []string{"", begin, end, end + begin} {
		_, _, _, err := cut(text)
		require.Error(t, err)
	}
}
