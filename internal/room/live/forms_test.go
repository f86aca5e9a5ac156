package live_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// own is a form of tokens of the host.
type own struct{ tokens.Strategy }

// keptFor are keys that stay published for a time.
type keptFor struct {
	tokens.Keys
	kept time.Duration
}

func (k keptFor) KeepFor() time.Duration { return k.kept }

// Forms that cannot be used are refused, by the name of the setting.
//
// Holds: house: configuration errors.
func TestForms_Prepare(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	for name, c := range map[string]struct {
		forms live.Forms
		wrong string
	}{
		"opaque":                  {live.Forms{}, ""},
		"signed":                  {live.Forms{Default: "jwt", JWT: &tokens.JWT{Issuer: servertest.Issuer, Keys: keys}}, ""},
		"signed without keys":     {live.Forms{Default: "jwt"}, "Keys"},
		"keys without any":        {live.Forms{JWT: &tokens.JWT{}}, "Keys"},
		"unknown":                 {live.Forms{Default: "paseto"}, "AccessTokenFormat"},
		"unrecorded, opaque":      {live.Forms{Unrecorded: true}, "Unrecorded"},
		"unrecorded, signed":      {live.Forms{Unrecorded: true, Default: "jwt", JWT: &tokens.JWT{Issuer: servertest.Issuer, Keys: keys}}, ""},
		"unrecorded, of the host": {live.Forms{Unrecorded: true, Own: own{}}, ""},
	} {
		err := c.forms.Prepare(tokens.Opaque{})
		if c.wrong == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.wrong, name)
	}
}

// Each client has one form of tokens, and it is known whether the store has them. A client
// that expects a form that the server cannot make gets none.
//
// Holds: house: token settings.
func TestForms_Strategy(t *testing.T) {
	t.Parallel()
	signed := &tokens.JWT{Issuer: servertest.Issuer, Keys: servertest.Keys(t)}
	for name, c := range map[string]struct {
		forms    live.Forms
		client   string
		kind     any
		recorded bool
		signs    bool
	}{
		"default":            {live.Forms{}, "", tokens.Opaque{}, true, false},
		"signed by default":  {live.Forms{JWT: signed, Default: "jwt"}, "", signed, true, true},
		"the client's":       {live.Forms{JWT: signed}, "jwt", signed, true, true},
		"the client's other": {live.Forms{JWT: signed, Default: "jwt", Unrecorded: true}, "opaque", tokens.Opaque{}, true, false},
		"unrecorded":         {live.Forms{JWT: signed, Default: "jwt", Unrecorded: true}, "", signed, false, true},
		"cannot be made":     {live.Forms{}, "jwt", nil, false, false},
		"host":               {live.Forms{JWT: signed, Own: own{}}, "jwt", own{}, true, false},
		"host, unrecorded":   {live.Forms{JWT: signed, Own: own{}, Unrecorded: true}, "", own{}, false, false},
	} {
		require.NoError(t, c.forms.Prepare(tokens.Opaque{}), name)
		client := &storage.Client{AccessTokenFormat: c.client}
		strategy, recorded := c.forms.Strategy(client)
		require.Equal(t, c.recorded, recorded, name)
		require.Equal(t, c.signs, c.forms.Signs(client), name)
		if c.kind == nil {
			require.Nil(t, strategy, name)
			continue
		}
		require.IsType(t, c.kind, strategy, name)
	}
}

// Keys that leave before the tokens that they signed would let resources refuse live tokens.
//
// Holds: house: configuration errors.
func TestCheckKeys_StayAsLongAsTheirTokens(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	for kept, ok := range map[time.Duration]bool{0: true, time.Hour: true, time.Hour - 1: false, 2 * time.Hour: true} {
		require.Equal(t, ok, live.CheckKeys(keptFor{keys, kept}, time.Hour) == nil, kept)
	}
	require.NoError(t, live.CheckKeys(keys, time.Hour))
}

// Garbage never reaches the store: a text of another form, or one that is too long.
//
// Holds: house: bounded tokens.
func TestForms_Ours(t *testing.T) {
	t.Parallel()
	signed := live.Forms{JWT: &tokens.JWT{Issuer: servertest.Issuer, Keys: servertest.Keys(t)}}
	plain := live.Forms{}
	long := func(size int) string { return "a.b." + string(make([]byte, size-4)) }
	for token, want := range map[string]bool{
		"a.b.c": true, "a.b": false, "a.b.c.d": false, "": false,
		long(live.MaxToken): true, long(live.MaxToken + 1): false,
	} {
		require.Equal(t, want, signed.Ours(context.Background(), token), len(token))
		require.False(t, plain.Ours(context.Background(), token), len(token))
	}
	require.True(t, (&live.Forms{Own: own{}}).Ours(context.Background(), "any"))
}
