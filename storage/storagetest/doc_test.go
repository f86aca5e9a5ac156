package storagetest

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// The package documentation lists every case, so that go doc shows what to run.
func TestDoc_ListsEveryCase(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for _, c := range cases() {
		require.Regexp(t, `(?m)^//\t.*\b`+regexp.QuoteMeta(c.name)+`\b`, string(doc))
	}
}

// Messages have the names of states, and times as RFC 3339 writes them.
func TestMessages_NameStatesAndTimes(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Revoked", stateName(storage.Revoked))
	require.Equal(t, "none (9)", stateName(9))
	require.Equal(t, "2031-07-01T03:04:05Z", rfc3339(time.Date(2031, 7, 1, 3, 4, 5, 0, time.UTC)))
}
