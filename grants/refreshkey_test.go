package grants_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/grantstest"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// bound stores a refresh token that is bound to a key, and returns a request for it.
func bound(t *testing.T, key map[string]string, changes ...func(*grants.Request)) *grants.Request {
	t.Helper()
	r := grantstest.Request(t, url.Values{}, changes...)
	token := grantstest.RefreshToken(t, r, "alice", "read")
	r.Form.Set("refresh_token", token)
	if key != nil {
		editData(t, r, storage.Refresh, token, func(d *record.Data) { d.Confirmation = key })
	}
	return r
}

// editData changes the data of a record.
func editData(t *testing.T, r *grants.Request, kind storage.Kind, token string, change func(*record.Data)) {
	t.Helper()
	rec, err := r.Records.Get(t.Context(), kind, storage.Key(token))
	require.NoError(t, err)
	d, err := record.Decode(rec)
	require.NoError(t, err)
	change(&d)
	rec.Data, err = d.Encode()
	require.NoError(t, err)
	require.NoError(t, r.Records.Advance(t.Context(), rec.State, rec))
}

// A refresh token of a public client that is bound to a key works with this key only. A
// client that authenticates may have changed its key, and a token that is bound to none
// works with any.
//
// Holds: RFC 9700 section 2.2.2.
func TestRefresh_KeyOfAPublicClient(t *testing.T) {
	t.Parallel()
	key := map[string]string{"jkt": "a"}
	for name, tt := range map[string]struct {
		bound, sent   map[string]string
		authenticated bool
		ok            bool
	}{
		"the key":                        {key, map[string]string{"jkt": "a"}, false, true},
		"another key":                    {key, map[string]string{"jkt": "b"}, false, false},
		"another kind":                   {key, map[string]string{"x5t#S256": "a"}, false, false},
		"more than the key":              {key, map[string]string{"jkt": "a", "x5t#S256": "a"}, false, false},
		"none":                           {key, nil, false, false},
		"bound to none":                  {nil, map[string]string{"jkt": "b"}, false, true},
		"bound to none, none":            {nil, nil, false, true},
		"another key, and authenticates": {key, map[string]string{"jkt": "b"}, true, true},
		"no key, and authenticates":      {key, nil, true, true},
	} {
		r := bound(t, tt.bound, func(r *grants.Request) {
			r.Authenticated = tt.authenticated
			r.Confirmation = tt.sent
		})
		out, err := grants.RefreshToken{}.Handle(t.Context(), r)
		if !tt.ok {
			require.Equal(t, "invalid_grant", grants.ErrorOf(err).Code, name)
			require.Equal(t, grants.ReasonKey, grants.ErrorOf(err).Reason, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tt.bound, out.Confirmation, name)
	}
}

// spend redeems a refresh token as the server does, and returns the sealed answer's
// access token. successor, if not empty, is stored until a time.
func spend(t *testing.T, r *grants.Request, g grants.RefreshToken, successor string, until time.Time) {
	t.Helper()
	out, err := g.Handle(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, out.Prepare(t.Context(), &grants.Response{
		AccessToken:  "the access token",
		RefreshToken: successor,
		ExpiresAt:    r.Now.Add(time.Hour),
	}))
	var recs []storage.Record
	if successor != "" {
		next := *out.Spend
		next.Key = storage.Key(successor)
		next.State = storage.Active
		next.ExpiresAt = until
		next.Data = nil
		recs = append(recs, next)
	}
	require.NoError(t, r.Records.Advance(t.Context(), storage.Active, *out.Spend, recs...))
}

// A retry is honest only with the key of the first request. With another one, or none,
// the token was stolen: the family ends. Not even a client that authenticates may retry
// with another key, because the answer is bound to the first one.
//
// Holds: RFC 9700 section 4.14.2; RFC 6819 section 5.2.2.3; house: retry window.
func TestRetry_NeedsTheSameKey(t *testing.T) {
	t.Parallel()
	key := map[string]string{"jkt": "a", "x5t#S256": "b"}
	for name, tt := range map[string]struct {
		first, second map[string]string
		ok            bool
	}{
		"the same":     {key, maps.Clone(key), true},
		"none":         {nil, nil, true},
		"lost":         {key, nil, false},
		"found":        {nil, key, false},
		"another":      {key, map[string]string{"jkt": "a", "x5t#S256": "c"}, false},
		"less":         {key, map[string]string{"jkt": "a"}, false},
		"other names":  {map[string]string{"jkt": "a"}, map[string]string{"x5t#S256": "a"}, false},
		"joined names": {map[string]string{"a": "b", "c": "d"}, map[string]string{"a": "b c d"}, false},
	} {
		for range 16 { // a map has no order
			r := bound(t, nil, func(r *grants.Request) { r.Confirmation = tt.first })
			spend(t, r, grants.RefreshToken{}, "", time.Time{})
			r.Confirmation = tt.second
			out, err := grants.RefreshToken{}.Handle(t.Context(), r)
			rec, getErr := r.Records.Get(t.Context(), storage.Refresh, storage.Key(r.Form.Get("refresh_token")))
			require.NoError(t, getErr)
			if tt.ok {
				require.NoError(t, err, name)
				require.Equal(t, "the access token", out.Replay.AccessToken)
				require.Equal(t, rec.GrantID, out.ID, "the event names the grant")
				continue
			}
			require.Equal(t, grants.ReasonRefreshReused, grants.ErrorOf(err).Reason, name)
			require.Equal(t, storage.Revoked, rec.State, name)
		}
	}
}

// A retry gets the successor again while that is alive. One that has expired ends the
// family.
//
// Holds: house: retry window; house: expiry at use.
func TestRetry_NeedsALiveSuccessor(t *testing.T) {
	t.Parallel()
	for end, ok := range map[time.Duration]bool{time.Minute: true, time.Nanosecond: true, 0: false, -time.Second: false} {
		r := bound(t, nil)
		spend(t, r, grants.RefreshToken{}, "the successor", r.Now.Add(30*time.Second).Add(end))
		r.Now = r.Now.Add(30 * time.Second)
		out, err := grants.RefreshToken{}.Handle(t.Context(), r)
		if ok && end >= time.Microsecond { // stores keep no finer time
			require.NoError(t, err, end)
			require.Equal(t, "the successor", out.Replay.RefreshToken)
		} else if !ok {
			require.Equal(t, grants.ReasonRefreshReused, grants.ErrorOf(err).Reason, end)
		}
	}
}

// At the very end of its family a refresh token is over, also if its own expiry is
// later.
//
// Holds: house: expiry at use.
func TestRefresh_EndsWithItsFamily(t *testing.T) {
	t.Parallel()
	for offset, ok := range map[time.Duration]bool{-time.Second: true, 0: false, time.Second: false} {
		r := bound(t, nil)
		end := r.Now.Truncate(time.Second).Add(10 * time.Minute)
		editData(t, r, storage.Refresh, r.Form.Get("refresh_token"), func(d *record.Data) { d.FamilyEnd = end.Unix() })
		r.Now = end.Add(offset)
		_, err := grants.RefreshToken{}.Handle(t.Context(), r)
		require.Equal(t, ok, err == nil, "%v: %v", offset, err)
		if !ok {
			require.Equal(t, grants.ReasonRefreshExpired, grants.ErrorOf(err).Reason)
		}
	}
}

// A record whose data does not decode is a failure, and no code or token without a
// challenge, a key and a consent.
//
// Holds: house: errors never grant.
func TestHandle_DamagedRecordIsAFailure(t *testing.T) {
	t.Parallel()
	damage := func(r *grants.Request, kind storage.Kind, token string) {
		rec, err := r.Records.Get(t.Context(), kind, storage.Key(token))
		require.NoError(t, err)
		rec.Data = []byte("{")
		require.NoError(t, r.Records.Advance(t.Context(), rec.State, rec))
	}
	r := bound(t, nil)
	damage(r, storage.Refresh, r.Form.Get("refresh_token"))
	_, err := grants.RefreshToken{}.Handle(t.Context(), r)
	require.Error(t, err)
	require.Equal(t, 500, grants.ErrorOf(err).Status)

	r = grantstest.Request(t, url.Values{})
	goodCode(t, nil, r)
	damage(r, storage.Code, r.Form.Get("code"))
	_, err = grants.AuthorizationCode{}.Handle(t.Context(), r)
	require.Error(t, err)
	require.Equal(t, 500, grants.ErrorOf(err).Status)
}

// conflicting is a store in which another request is always first.
type conflicting struct{ storage.Records }

// Advance implements storage.Records.
func (conflicting) Advance(context.Context, storage.State, storage.Record, ...storage.Record) error {
	return fmt.Errorf("store: %w", storage.ErrConflict)
}

// A code that must be burnt, and that another request burns at the same moment, is
// refused and no failure of the store.
//
// Holds: RFC 6749 section 4.1.2; house: fault of a race.
func TestCode_BurntByAnotherRequest(t *testing.T) {
	t.Parallel()
	r := grantstest.Request(t, url.Values{})
	goodCode(t, nil, r)
	r.Form.Set("code_verifier", verifier+"x")
	r.Records = conflicting{r.Records}
	_, err := grants.AuthorizationCode{}.Handle(t.Context(), r)
	require.Equal(t, "invalid_grant", grants.ErrorOf(err).Code)
	require.NotErrorIs(t, err, storage.ErrConflict)

	r.Form.Del("code")
	_, err = grants.AuthorizationCode{}.Handle(t.Context(), r)
	require.Equal(t, "invalid_request", grants.ErrorOf(err).Code)
}

// The bounds of the settings of a refresh token, inclusive.
//
// Holds: house: configuration errors.
func TestRefreshToken_SettingsAreBounded(t *testing.T) {
	t.Parallel()
	for _, g := range []grants.RefreshToken{
		{},
		{Mode: grants.Once},
		{RetryWindow: 5 * time.Minute},
		{MaxRetries: 1000},
		{Strict: true},
	} {
		require.NoError(t, g.Check(), "%+v", g)
	}
	for _, g := range []grants.RefreshToken{
		{Mode: grants.Once + 1},
		{RetryWindow: 5*time.Minute + 1},
		{RetryWindow: -1},
		{MaxRetries: 1001},
		{MaxRetries: -1},
		{Strict: true, RetryWindow: time.Second},
	} {
		require.Error(t, g.Check(), "%+v", g)
	}
}

// A delimiter of scopes is a printable ASCII character that is no letter or digit.
//
// Holds: house: delimiters; house: configuration errors.
func TestScopeRules_Delimiters(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"", ",", "+", "!", "~", ",;"} {
		require.NoError(t, grants.ScopeRules{Delimiters: ok}.Check(), ok)
	}
	for _, bad := range []string{" ", "\t", "\x7f", "é", "，", "a", "Z", "0", ", "} {
		require.Error(t, grants.ScopeRules{Delimiters: bad}.Check(), bad)
	}
}

// counting is a limiter that fails or refuses at its n-th key, and keeps what became of
// the guesses.
type counting struct {
	err  error
	wait time.Duration
	at   int

	keys []string
	done []bool
}

// Attempt implements grants.Limiter.
func (c *counting) Attempt(_ context.Context, key string) (func(bool), time.Duration, error) {
	c.keys = append(c.keys, key)
	if len(c.keys) == c.at {
		return nil, c.wait, c.err
	}
	return func(ok bool) { c.done = append(c.done, ok) }, 0, nil
}

// A guess that was not made counts for neither key: the limiter failed or refused at one
// of them, or the host could not look at the password. A wrong password counts for both.
//
// Holds: house: shared limits; house: limit by user; house: store fails closed.
func TestGuess_CountsWhatWasGuessed(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, tt := range map[string]struct {
		limiter counting
		err     error // of the authenticator
		asked   bool
		status  int
		done    []bool
	}{
		"right":                       {counting{}, nil, true, 0, []bool{true, true}},
		"wrong":                       {counting{}, grants.ErrWrongPassword, true, 400, []bool{false, false}},
		"the host failed":             {counting{}, down, true, 503, []bool{true, true}},
		"the limiter failed":          {counting{at: 1, err: down}, nil, false, 503, nil},
		"the limiter failed later":    {counting{at: 2, err: down}, nil, false, 503, []bool{true}},
		"the address is at its limit": {counting{at: 1, wait: time.Second}, nil, false, 429, nil},
		"the user is at its limit":    {counting{at: 2, wait: time.Second}, nil, false, 429, []bool{true}},
	} {
		asked := false
		_, err := grants.Guess(t.Context(), &tt.limiter, "ann", netip.MustParseAddr("192.0.2.7"), func() (grants.User, error) {
			asked = true
			return grants.User{Subject: "ann"}, tt.err
		})
		require.Equal(t, tt.asked, asked, name)
		require.Equal(t, tt.done, tt.limiter.done, name)
		if tt.status == 0 {
			require.NoError(t, err, name)
		} else {
			require.Equal(t, tt.status, grants.ErrorOf(err).Status, name)
		}
	}

	// A panic of the host counts as a wrong guess: it may have looked at the password.
	var l counting
	require.Panics(t, func() {
		_, _ = grants.Guess(t.Context(), &l, "ann", netip.MustParseAddr("192.0.2.7"), func() (grants.User, error) { panic("x") })
	})
	require.Equal(t, []bool{false, false}, l.done)
}

// A grant by password is bound to the key of the request.
func TestPassword_GrantIsBound(t *testing.T) {
	t.Parallel()
	key := map[string]string{"jkt": "a"}
	r := grantstest.Request(t, url.Values{"username": {"ann"}, "password": {"correct horse"}},
		func(r *grants.Request) { r.Confirmation = key })
	out, err := grants.Password{Authenticator: directory{"ann": "correct horse"}}.Handle(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, key, out.Confirmation)
	require.Equal(t, r.Now, out.AuthTime)
}
