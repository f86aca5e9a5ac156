package storage_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// The member is a number of seconds in a flat object, as the lifetimes of RFC 7591 are.
func TestClientAssertion_LifetimeIsSecondsInJSON(t *testing.T) {
	t.Parallel()
	c := storage.Client{ID: "c"}
	c.AssertionLifetime = time.Hour
	text, err := json.Marshal(c)
	require.NoError(t, err)
	require.Contains(t, string(text), `"assertion_lifetime":3600`)
	var read storage.Client
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, c, read)
	for _, wrong := range []time.Duration{-time.Second, storage.MaxAssertionLifetime + 1} {
		c.AssertionLifetime = wrong
		require.ErrorContains(t, c.Validate(), "assertion_lifetime")
	}
}
