package grantwell

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// prepare fills in the defaults and returns every reason why the configuration is wrong, each naming its field.
func (c *Config) prepare() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("grantwell: Config."+format, args...))
	}

	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(c.Issuer, "/") || strings.ContainsAny(c.Issuer, "?#") || strings.Contains(u.Path, "//"):
		bad("Issuer: needs an absolute URL without query, fragment, user information and trailing slash (RFC 8414 section 2)")
	case u.Scheme == "http" && !c.AllowHTTP:
		bad("Issuer: is plain http; set AllowHTTP if this is a developer's machine")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("Issuer: needs the scheme https")
	}
	if c.Clients == nil {
		bad("Clients: is missing")
	}
	if c.Records == nil {
		c.Records = memstore.New()
	}
	if len(c.Grants) == 0 {
		bad("Grants: is empty, so nothing could be issued")
	}
	seen := map[string]bool{}
	for i, g := range c.Grants {
		// The front channel reads the fields of these two: a pointer must not hide them.
		switch p := g.(type) {
		case *grants.AuthorizationCode:
			if g = nil; p != nil {
				g = *p
			}
		case *grants.Implicit:
			if g = nil; p != nil {
				g = *p
			}
		}
		if c.Grants[i] = g; g == nil {
			bad("Grants[%d]: is nil", i)
			continue
		}
		if t := g.GrantType(); t == "" || seen[t] {
			bad("Grants[%d]: the grant type %q is empty or listed twice", i, t)
		} else {
			seen[t] = true
		}
		if ch, ok := g.(interface{ Check() error }); ok {
			if err := ch.Check(); err != nil {
				bad("Grants[%d]: %w", i, err)
			}
		}
	}
	c.prepareTokens(bad)
	c.prepareEndpoints(bad)
	if err := c.Scopes.check(); err != nil {
		bad("Scopes: %w", err)
	}
	if i := slices.Index(c.ClientAuth, nil); i >= 0 {
		bad("ClientAuth[%d]: is nil", i)
		c.ClientAuth = slices.DeleteFunc(slices.Clone(c.ClientAuth), func(a ClientAuthenticator) bool { return a == nil })
	}
	if len(c.AuthMethods) == 0 {
		c.AuthMethods = []string{storage.AuthClientSecretBasic, storage.AuthClientSecretPost, storage.AuthNone}
		for _, a := range c.ClientAuth {
			c.AuthMethods = append(c.AuthMethods, a.Methods()...)
		}
	}
	for _, m := range c.AuthMethods {
		builtIn := m == storage.AuthClientSecretBasic || m == storage.AuthClientSecretPost || m == storage.AuthNone
		if !builtIn && !slices.ContainsFunc(c.ClientAuth, func(a ClientAuthenticator) bool { return slices.Contains(a.Methods(), m) }) {
			bad("AuthMethods: nothing in ClientAuth verifies %q", m)
		}
	}
	if c.Limiter == nil {
		c.Limiter = NewLimiter()
	}
	return errors.Join(errs...)
}

func (c *Config) prepareTokens(bad func(string, ...any)) {
	switch c.AccessTokenFormat {
	case "":
		c.AccessTokenFormat = "opaque"
	case "opaque":
	case "jwt":
		if c.Keys == nil {
			bad("Keys: needed for the access token format jwt")
		}
	default:
		bad("AccessTokenFormat: is opaque or jwt")
	}
	if c.Unrecorded && c.AccessTokenFormat != "jwt" && c.Strategy == nil {
		bad("Unrecorded: an opaque token that is not recorded means nothing")
	}
	for name, o := range map[string]interface{ Validate() error }{"AccessTokens": c.AccessTokens, "RefreshTokens": c.RefreshTokens, "Codes": c.Codes} {
		if err := o.Validate(); err != nil {
			bad("%s: %w", name, err)
		}
	}
	if len(c.Imported) > 4 {
		bad("Imported: has more than 4 forms")
	}
	for i, form := range c.Imported {
		if form == nil {
			bad("Imported[%d]: is nil", i)
		} else if v, ok := form.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				bad("Imported[%d]: %w", i, err)
			}
		}
	}
	if c.TokenType == "" {
		c.TokenType = "Bearer"
	}
	if len(c.Audience) == 0 {
		c.Audience = []string{c.Issuer}
	}
	for _, d := range []struct {
		name        string
		value       *time.Duration
		preset, max time.Duration
	}{
		{"AccessTokenLifetime", &c.AccessTokenLifetime, time.Hour, 10 * 365 * 24 * time.Hour},
		{"RefreshTokenLifetime", &c.RefreshTokenLifetime, 30 * 24 * time.Hour, 10 * 365 * 24 * time.Hour},
		{"RefreshTokenIdle", &c.RefreshTokenIdle, 0, 10 * 365 * 24 * time.Hour},
		{"CodeLifetime", &c.CodeLifetime, time.Minute, 10 * time.Minute},
		{"InteractionLifetime", &c.InteractionLifetime, 10 * time.Minute, 24 * time.Hour},
		{"Timeout", &c.Timeout, 2 * time.Second, time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.preset
		}
		if *d.value < 0 || *d.value > d.max {
			bad("%s: must be between 0 and %v", d.name, d.max)
		}
	}
}

func (c *Config) prepareEndpoints(bad func(string, ...any)) {
	def := DefaultPaths()
	used := map[string]string{}
	for _, p := range []struct {
		name          string
		value, preset *string
	}{
		{"Authorize", &c.Paths.Authorize, &def.Authorize}, {"Token", &c.Paths.Token, &def.Token}, {"Revoke", &c.Paths.Revoke, &def.Revoke},
		{"Introspect", &c.Paths.Introspect, &def.Introspect}, {"TokenInfo", &c.Paths.TokenInfo, &def.TokenInfo}, {"JWKS", &c.Paths.JWKS, &def.JWKS},
		{"Login", &c.Paths.Login, &def.Login}, {"Consent", &c.Paths.Consent, &def.Consent}, {"ShowCode", &c.Paths.ShowCode, &def.ShowCode},
	} {
		if *p.value == "" {
			*p.value = *p.preset
		}
		if *p.value == "-" {
			*p.value = ""
			continue
		}
		if !strings.HasPrefix(*p.value, "/") || strings.Contains(*p.value, "//") || strings.ContainsAny(*p.value, "?#{} ") {
			bad("Paths.%s: needs to begin with / and be a plain path", p.name)
		}
		if other := used[*p.value]; other != "" {
			bad("Paths.%s: is the same as Paths.%s", p.name, other)
		}
		used[*p.value] = p.name
	}
	if c.Keys == nil {
		c.Paths.JWKS = ""
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	if c.MaxBody < 1<<10 || c.MaxBody > 16<<20 {
		bad("MaxBody: must be between 1 KiB and 16 MiB")
	}
	https := strings.HasPrefix(c.Issuer, "https:")
	if c.Cookie.Name == "" {
		c.Cookie.Name = "grantwell"
		if https && c.Cookie.Domain == "" && (c.Cookie.Path == "" || c.Cookie.Path == "/") {
			c.Cookie.Name = "__Host-grantwell"
		}
	} else if strings.HasPrefix(c.Cookie.Name, "__Host-") && (!https || c.Cookie.Domain != "" || c.Cookie.Path != "" && c.Cookie.Path != "/") {
		bad("Cookie: a __Host- name needs https, no Domain and the Path /")
	}
	if c.Cookie.Path == "" {
		c.Cookie.Path = "/"
	}
	switch c.Compat.ForeignRevocation {
	case 0:
		c.Compat.ForeignRevocation = 400
	case 200, 400, 403:
	default:
		bad("Compat.ForeignRevocation: is 200, 400 or 403")
	}
	for _, p := range c.TrustedProxies {
		if p == (netip.Prefix{}) || !p.IsValid() {
			bad("TrustedProxies: has an invalid prefix")
		}
	}
}
