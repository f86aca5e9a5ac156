package introspect

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An answer takes the place of the one before, whichever of them was active. It does not
// count as a second entry.
//
// Holds: house: cached answers; house: one state.
func TestCache_OneAnswerForOneToken(t *testing.T) {
	t.Parallel()
	m := &Remote{Endpoint: "https://as.example.com", MaxAge: time.Minute, MaxInactiveAge: time.Minute, MaxEntries: 2}
	m.once.Do(m.start)
	require.NoError(t, m.broken)
	one, two := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two"))
	now := time.Now()
	active := func(subject string) *Token { return &Token{Active: true, Subject: subject} }

	m.keep(two, active("bob"), now)
	m.keep(one, active("alice"), now)
	m.keep(one, active("carol"), now)
	require.Equal(t, "carol", m.active.find(one, now).Subject)
	require.NotNil(t, m.active.find(two, now), "the answers about one are one entry")
	require.Len(t, m.active.entries, m.active.recent.Len())

	m.keep(one, inactive(ReasonUnknown), now)
	require.Nil(t, m.active.find(one, now))
	require.NotNil(t, m.inactive.find(one, now))
	require.NotNil(t, m.active.find(two, now))
	m.active.drop(one) // nothing is there
	require.Len(t, m.active.entries, 1)

	// An answer whose time has passed removes the earlier one too.
	m.keep(two, active("dave"), now.Add(-time.Hour))
	require.Nil(t, m.active.find(two, now))
}
