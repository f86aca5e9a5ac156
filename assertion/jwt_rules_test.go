package assertion

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// selfIssued is a client that signs its own grants.
func selfIssued(change func(*Issuer)) Issuer {
	return idp(func(i *Issuer) {
		i.ID = jwtClient
		i.JWT.SelfIssued = true
		if change != nil {
			change(i)
		}
	})
}

// Holds: RFC 7521 section 5.2; RFC 7521 section 6.2; RFC 7523 section 3.
func TestJWTGrant_ASelfIssuedAssertionIsAboutItsClient(t *testing.T) {
	t.Parallel()
	permit := func(i *Issuer) {
		i.Subject = func(_ context.Context, a *Assertion) (string, error) { return a.Subject.Value, nil }
	}
	at := func(d time.Duration) int64 { return jwtNow.Add(d).Unix() }
	for name, c := range map[string]struct {
		change  func(*Issuer)
		client  string // the client that has authenticated
		claims  jwtMap
		subject string
		reason  Reason
	}{
		"no other authentication":       {claims: clientClaims(), subject: jwtClient},
		"without sub":                   {claims: with(clientClaims(), "sub", nil), subject: jwtClient},
		"authenticated as itself":       {client: jwtClient, claims: clientClaims(), subject: jwtClient},
		"presented by another client":   {client: "client-2", claims: clientClaims(), reason: ReasonClient},
		"a user without permission":     {claims: with(clientClaims(), "sub", "alice"), reason: ReasonSubject},
		"a user that the hook judges":   {change: permit, claims: with(clientClaims(), "sub", "alice"), subject: "alice"},
		"longer than five minutes":      {claims: with(clientClaims(), "exp", at(6*time.Minute+time.Second)), reason: ReasonLifetime},
		"five minutes":                  {claims: with(clientClaims(), "exp", at(6*time.Minute)), subject: jwtClient},
		"longer where the issuer may":   {change: func(i *Issuer) { i.MaxLifetime = 2 * time.Hour }, claims: with(clientClaims(), "exp", at(2*time.Hour)), subject: jwtClient},
		"shorter where the issuer must": {change: func(i *Issuer) { i.MaxLifetime = time.Second }, claims: clientClaims(), reason: ReasonLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, _ := grantVerifier(t, nil, selfIssued(c.change))
			r := grantOf(signGrant(t, c.claims))
			r.ClientID = c.client
			a, err := j.Verify(t.Context(), r)
			if c.reason != "" {
				requireRefused(t, "invalid_grant", c.reason, a, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.subject, a.Subject.Value)
		})
	}
}

// The settings of an issuer are sufficient for a profile of RFC 7523 such as
// ID-JAG.
//
// Holds: RFC 7521 section 5.2; RFC 7523 section 3; RFC 7523 section 3.1.
func TestJWTGrant_AProfileHoldsTypeClientAndAudience(t *testing.T) {
	t.Parallel()
	profile := idp(func(i *Issuer) {
		i.JWT = JWTRules{Type: "oauth-id-jag+jwt", IssuerAudience: true, Required: []string{"client_id", "resource"}, RequireJTI: true}
		i.BindClient.Attribute = "client_id"
	})
	good := with(with(grantClaims(), "client_id", jwtClient), "resource", "https://api.example")
	for name, c := range map[string]struct {
		typ, client string
		claims      jwtMap
		reason      Reason
	}{
		"good":                  {"oauth-id-jag+jwt", jwtClient, good, ""},
		"good, long form":       {"application/OAuth-ID-JAG+jwt", jwtClient, good, ""},
		"no typ":                {"", jwtClient, good, ReasonType},
		"typ JWT":               {"JWT", jwtClient, good, ReasonType},
		"another client":        {"oauth-id-jag+jwt", "client-2", good, ReasonClient},
		"no client":             {"oauth-id-jag+jwt", "", good, ReasonClient},
		"no client_id":          {"oauth-id-jag+jwt", jwtClient, with(good, "client_id", nil), ReasonContent},
		"client_id null":        {"oauth-id-jag+jwt", jwtClient, with(good, "client_id", jsonText("null")), ReasonContent},
		"client_id a number":    {"oauth-id-jag+jwt", jwtClient, with(good, "client_id", 1), ReasonClient},
		"no resource":           {"oauth-id-jag+jwt", jwtClient, with(good, "resource", nil), ReasonContent},
		"no jti":                {"oauth-id-jag+jwt", jwtClient, with(good, "jti", nil), ReasonContent},
		"aud the endpoint":      {"oauth-id-jag+jwt", jwtClient, with(good, "aud", jwtEndpoint), ReasonAudience},
		"aud us and another":    {"oauth-id-jag+jwt", jwtClient, with(good, "aud", []string{jwtServer, "https://b.example"}), ReasonAudience},
		"aud us as array":       {"oauth-id-jag+jwt", jwtClient, with(good, "aud", []string{jwtServer}), ""},
		"an access token's typ": {"at+jwt", jwtClient, good, ReasonType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, replay := grantVerifier(t, nil, profile)
			header := with(jwtMap{"alg": "ES256", "kid": "k"}, "typ", orNil(c.typ))
			r := grantOf(signRaw(t, "ES256", jwtTestKeys()["p256"], toJSON(header), toJSON(c.claims)))
			r.ClientID = c.client
			a, err := j.Verify(t.Context(), r)
			if c.reason != "" {
				requireRefused(t, "invalid_grant", c.reason, a, err)
				require.Zero(t, replay.calls)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, `"https://api.example"`, string(a.Claims["resource"]))
		})
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Holds: RFC 7521 section 4.1; RFC 7521 section 5.2; RFC 7521 section 6.2;
// RFC 7523 section 3.1.
func TestJWTGrant_IssuerIsBoundToClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Issuer)
		client string
		claims jwtMap
		good   bool
	}{
		"listed":               {func(i *Issuer) { i.Clients = []string{jwtClient} }, jwtClient, grantClaims(), true},
		"not listed":           {func(i *Issuer) { i.Clients = []string{"client-2"} }, jwtClient, grantClaims(), false},
		"no client":            {func(i *Issuer) { i.Clients = []string{jwtClient} }, "", grantClaims(), false},
		"claim list":           {func(i *Issuer) { i.BindClient.Attribute = "azp" }, jwtClient, with(grantClaims(), "azp", []any{"x", jwtClient, 1}), true},
		"claim of another":     {func(i *Issuer) { i.BindClient.Attribute = "azp" }, jwtClient, with(grantClaims(), "azp", "client-2"), false},
		"audience":             {func(i *Issuer) { i.BindClient.Audience = true }, jwtClient, with(grantClaims(), "aud", []string{jwtServer, jwtClient}), true},
		"audience of another":  {func(i *Issuer) { i.BindClient.Audience = true }, jwtClient, grantClaims(), false},
		"no JWT has presenter": {func(i *Issuer) { i.BindClient.Presenter = true }, jwtClient, grantClaims(), false},
		"subject":              {func(i *Issuer) { i.BindClient.Subject = true }, "alice", grantClaims(), true},
		"subject of another":   {func(i *Issuer) { i.BindClient.Subject = true }, jwtClient, grantClaims(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, replay := grantVerifier(t, nil, idp(c.change))
			r := grantOf(signGrant(t, c.claims))
			r.ClientID = c.client
			a, err := j.Verify(t.Context(), r)
			if c.good {
				require.NoError(t, err)
				return
			}
			requireRefused(t, "invalid_grant", ReasonClient, a, err)
			require.Zero(t, replay.calls)
		})
	}
}

// Holds: RFC 7523 section 3; RFC 8725 section 3;
// draft-ietf-oauth-rfc7523bis section 3.
func TestJWT_TypeSeparatesKindsOfTokens(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	for typ, c := range map[string]struct{ grant, client bool }{
		"": {true, true}, "JWT": {true, true}, "jwt": {true, true}, "application/jwt": {true, true},
		"client-authentication+jwt":             {false, true},
		"application/client-authentication+JWT": {false, true},
		"at+jwt":                                {}, "logout+jwt": {}, "dpop+jwt": {}, "secevent+jwt": {}, "oauth-authz-req+jwt": {}, "token-introspection+jwt": {}, "JOSE": {}, "application/application/jwt": {},
	} {
		t.Run("typ "+typ, func(t *testing.T) {
			t.Parallel()
			j, _ := newJWT(t, func(c *JWTConfig) {
				c.Issuers = Issuers(idp(nil))
				c.Clients = jwtClients{jwtClient: {Method: methodPrivateKeyJWT, JWKS: jwksOf(jwkOf("k", key.Public()))}}
			})
			header := toJSON(with(jwtMap{"alg": "ES256", "kid": "k"}, "typ", orNil(typ)))
			a, err := j.Verify(t.Context(), grantOf(signRaw(t, "ES256", key, header, toJSON(grantClaims()))))
			if c.grant {
				require.NoError(t, err)
			} else {
				requireRefused(t, "invalid_grant", ReasonType, a, err)
			}
			a, err = j.Verify(t.Context(), clientOf(signRaw(t, "ES256", key, header, toJSON(clientClaims()))))
			if c.client {
				require.NoError(t, err)
			} else {
				requireRefused(t, "invalid_client", ReasonType, a, err)
			}
		})
	}
}

// Holds: RFC 7523 section 3.
func TestJWT_LeniencyIsOffUnlessTheSenderHasIt(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	padded := func(claims jwtMap) string {
		enc := base64.URLEncoding
		text := enc.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + enc.EncodeToString([]byte(toJSON(claims)))
		signed := signText(t, "ES256", key, text)
		return signed + "==" // 64 octets leave two characters over
	}
	spellings := map[string]func(jwtMap) string{
		"padded":    func(c jwtMap) string { return padded(with(c, "x", "12")) },
		"string":    func(c jwtMap) string { return signGrant(t, with(c, "exp", toJSON(c["exp"]))) },
		"iat, text": func(c jwtMap) string { return signGrant(t, with(c, "iat", toJSON(c["iat"])+".5")) },
	}
	for name, spell := range spellings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lenient := range []bool{false, true} {
				j, _ := newJWT(t, func(c *JWTConfig) {
					c.Issuers = Issuers(idp(func(i *Issuer) { i.JWT.Lenient = lenient }))
					c.Clients = jwtClients{jwtClient: {Method: methodPrivateKeyJWT, JWKS: jwksOf(jwkOf("k", key.Public())), Lenient: lenient}}
				})
				_, grantErr := j.Verify(t.Context(), grantOf(spell(grantClaims())))
				_, clientErr := j.Verify(t.Context(), clientOf(spell(clientClaims())))
				if lenient {
					require.NoError(t, grantErr)
					require.NoError(t, clientErr)
				} else {
					require.Error(t, grantErr)
					require.Error(t, clientErr)
				}
			}
		})
	}
	// A lenient issuer must still send times.
	for _, bad := range []any{"", ".", "1.", "1e9", "-1", "1E9", " 1", "0x10", "1.2.3", "9999999999999", true, nil, []any{1}} {
		_, err := numericDate(bad, true, roundDown)
		require.Error(t, err, "%v", bad)
	}
}

// Holds: RFC 8725 section 3; RFC 8725 section 3.1.
func TestJWTGrant_CertificateDatesCountWhenAskedFor(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["rsa"]
	for name, c := range map[string]struct {
		until   time.Time
		enforce bool
		good    bool
	}{
		"valid":                {jwtNow.Add(time.Hour), true, true},
		"expired":              {jwtNow.Add(-time.Second), true, false},
		"expired, not checked": {jwtNow.Add(-time.Second), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := certificateFor(t, key, c.until)
			withChain := jwkOf("k", key.Public())
			withChain["x5c"] = []string{base64.StdEncoding.EncodeToString(cert.Raw)}
			for _, keys := range []*KeySet{must(NewKeySet(cert)), must(ParseJWKS(jwksOf(withChain)))} {
				j, _ := grantVerifier(t, nil, selfIssued(func(i *Issuer) { i.JWT.Keys, i.JWT.CertificateDates = keys, c.enforce }))
				a, err := j.Verify(t.Context(), grantOf(signJWT(t, "RS256", "k", key, clientClaims())))
				if c.good {
					require.NoError(t, err)
				} else {
					requireRefused(t, "invalid_grant", ReasonKey, a, err)
				}
			}
		})
	}
}

// RFC 7519 section 2: a NumericDate is a JSON number and may have a fraction. It is
// rounded so that the token is not valid for longer than it says.
func TestNumericDate_IsRoundedToTheStrictSide(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int64{
		"1780315500":            {1780315500, 1780315500},
		"1780315500.0":          {1780315500, 1780315500},
		"1780315500.25":         {1780315500, 1780315501},
		"1780315500.9999999":    {1780315500, 1780315501},
		"1.7803155E9":           {1780315500, 1780315500},
		"1.78031550025e+9":      {1780315500, 1780315501},
		"17803155005e-1":        {1780315500, 1780315501},
		"178031550000000000E-8": {1780315500, 1780315500},
		"0.5":                   {0, 1},
		"5e-3":                  {0, 1},
		"0e0":                   {0, 0},
		"253402300799":          {253402300799, 253402300799},
	} {
		for round, seconds := range want {
			got, err := numericDate(json.Number(text), false, rounding(round))
			require.NoError(t, err, text)
			require.Equal(t, seconds, got.Unix(), text)
		}
	}
	for _, bad := range []string{"-1", "-0.5", "253402300800", "1e12", "1e308", "1e99999999999999999999", "1e400000000", "1e-400000000", "1e21", "1e-400",
		"1." + strings.Repeat("0", 100), strings.Repeat("9", 300)} {
		_, err := numericDate(json.Number(bad), false, roundDown)
		require.Error(t, err, bad)
	}
	_, err := numericDate(json.Number("253402300799.5"), false, roundUp)
	require.Error(t, err)
	_, err = numericDate("1780315500", false, roundDown)
	require.ErrorContains(t, err, "a string")
}
