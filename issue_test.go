package grantwell_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Lengths and lifetimes are those of the configuration, and those of the
// client take precedence.
//
// Holds: house: client settings win; house: token settings.
func TestIssue_LengthsAndLifetimesAreConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, func(cfg *grantwell.Config) {
			servertest.Signed(servertest.Keys(t))(cfg)
			cfg.AccessTokenFormat = "opaque"
			cfg.AccessTokens = tokens.Opaque{Length: 54, Prefix: "gw_at_"}
			cfg.RefreshTokens = tokens.Opaque{Length: 46}
			cfg.Codes = tokens.Opaque{Length: 30}
			cfg.AccessTokenLifetime, cfg.RefreshTokenLifetime = 20*time.Minute, 12*time.Hour
		})
		l.AddClient("conf", func(c *storage.Client) {
			c.ID = "other"
			c.AccessTokenLifetime = time.Minute
			c.RefreshTokenLifetime = time.Hour
			c.AccessTokenFormat = "jwt"
		})
		code := l.Code("conf")
		require.Len(t, code, 30)
		res := l.Redeem("conf", code)
		require.Len(t, res.String("access_token"), 54)
		require.True(t, strings.HasPrefix(res.String("access_token"), "gw_at_"))
		require.Len(t, res.String("refresh_token"), 46)
		require.Equal(t, 1200.0, res.JSON["expires_in"])
		own := l.Redeem("other", l.Code("other"))
		require.Equal(t, 60.0, own.JSON["expires_in"])
		require.Equal(t, "other",
			servertest.TokenClaims(t, own.String("access_token"))["client_id"])
		refresh := func(as, token string) servertest.Reply {
			return l.Post("/token", as, "grant_type", "refresh_token", "refresh_token", token)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		require.True(t, l.Valid(own.String("access_token")))
		time.Sleep(time.Nanosecond)
		require.False(t, l.Valid(own.String("access_token")))
		time.Sleep(58 * time.Minute)
		require.False(t, l.Valid(res.String("access_token")))
		next := refresh("other:"+servertest.Secret, own.String("refresh_token"))
		require.Equal(t, 200, next.Status, next.Body)
		time.Sleep(time.Minute)
		refresh("other:"+servertest.Secret, next.String("refresh_token")).Fails(t, 400,
			"invalid_grant")
		time.Sleep(11*time.Hour - time.Second)
		last := refresh(servertest.Conf, res.String("refresh_token"))
		require.Equal(t, 1.0, last.JSON["expires_in"], "no access token outlives its family")
	})
}

// The configured token type stands in the token response and in introspection.
//
// Holds: house: token type.
func TestIssue_TokenType(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) { cfg.TokenType = "Custom" })
	res := l.ClientCredentials(servertest.Conf)
	require.Equal(t, "Custom", res.String("token_type"))
	intro := l.Introspect("conf", res.String("access_token"))
	require.Equal(t, []any{true, "Custom"}, []any{intro.JSON["active"], intro.JSON["token_type"]})
}

// A token's audience is that of its client, else the server's, else the
// issuer.
func TestIssue_AudienceIsTheClientsFirst(t *testing.T) {
	t.Parallel()
	aud := func(l *servertest.Server) any {
		res := l.ClientCredentials(servertest.Conf)
		i, err := l.AS.Introspect(context.Background(), res.String("access_token"))
		require.NoError(t, err)
		return i.Audience
	}
	require.Equal(t, []string{"https://as.example"}, aud(servertest.New(t, nil)))
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Audience = []string{"https://api.example"}
	})
	require.Equal(t, []string{"https://api.example"}, aud(l))
	l.AddClient("conf", func(c *storage.Client) {
		c.Audience = []string{"https://one.example", "https://two.example"}
	})
	require.Equal(t, []string{"https://one.example"}, aud(l))
}
