package ids_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/ids"
)

// An identifier has its length and alphabet, and comes once. Each of its positions
// varies, so that it has as many bits as it seems to.
func TestIDs_AreRandom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func() string
		form string
	}{
		"New":    {ids.New, `^[A-Za-z0-9_-]{22}$`},
		"Secret": {ids.Secret, `^[A-Za-z0-9_-]{43}$`},
		"Short":  {ids.Short, `^[0-9a-f]{16}$`},
	} {
		form := regexp.MustCompile(c.form)
		seen := map[string]bool{}
		columns := make([]map[byte]bool, len(c.make()))
		for i := range columns {
			columns[i] = map[byte]bool{}
		}
		for range 1000 {
			id := c.make()
			require.Regexp(t, form, id, name)
			require.False(t, seen[id], "%s repeats %s", name, id)
			seen[id] = true
			for i := range columns {
				columns[i][id[i]] = true
			}
		}
		for i, column := range columns {
			// The last character of base64url has the bits that are left over: 2 of 128,
			// 4 of 256.
			require.GreaterOrEqual(t, len(column), 4, "%s: position %d", name, i)
		}
	}
}
