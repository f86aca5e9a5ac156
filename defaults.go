package grantwell

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// faults collects why a configuration is wrong. Each begins with a field's name.
type faults []error

func (f *faults) add(format string, args ...any) {
	*f = append(*f, fmt.Errorf("grantwell: Config."+format, args...))
}

// prepare fills in the defaults and returns every reason why the configuration is
// wrong.
func (c *Config) prepare() error {
	c.Grants = slices.Clone(c.Grants)
	var f faults
	c.checkIssuer(&f)
	if c.Clients == nil {
		f.add("Clients: is missing")
	}
	if c.Records == nil {
		f.add("Records: is missing; storage/memstore keeps them in this process's memory")
	}
	c.prepareGrants(&f)
	c.prepareTokens(&f)
	c.prepareLifetimes(&f)
	c.preparePaths(&f)
	c.prepareRequests(&f)
	c.prepareCookie(&f)
	c.prepareClientAuth(&f)
	if err := c.Scopes.Check(); err != nil {
		f.add("Scopes: %w", err)
	}
	if c.Limiter == nil {
		c.Limiter = limit.NewMemory(nil)
	}

	return errors.Join(f...)
}

func (c *Config) checkIssuer(f *faults) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil,
		strings.HasSuffix(c.Issuer, "/") || strings.ContainsAny(c.Issuer, "?#") || strings.Contains(u.Path, "//"):
		f.add("Issuer: needs an absolute URL without query, fragment, user information and trailing slash (RFC 8414 section 2)")
	case u.Scheme == "http" && !c.AllowHTTP:
		f.add("Issuer: is plain http; set AllowHTTP if this is a developer's machine")
	case u.Scheme != "http" && u.Scheme != "https":
		f.add("Issuer: needs the scheme https")
	}
}

func (c *Config) prepareGrants(f *faults) {
	if len(c.Grants) == 0 {
		f.add("Grants: is empty, so nothing could be issued")
	}
	seen := map[string]bool{}
	responds := map[string]bool{}
	for i, g := range c.Grants {
		if v := reflect.ValueOf(g); g == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			f.add("Grants[%d]: is nil", i)
			continue
		}
		t := g.GrantType()
		if t == "" || seen[t] {
			f.add("Grants[%d]: the grant type %q is empty or listed twice", i, t)
		}
		seen[t] = true
		if r, ok := seam.PowerOf[grants.Responder](g); ok {
			if responds[r.ResponseType()] {
				f.add("Grants[%d]: another grant answers the response type %q", i, r.ResponseType())
			}
			responds[r.ResponseType()] = true
		}
		if checked, ok := seam.PowerOf[interface{ Check() error }](g); ok {
			if err := checked.Check(); err != nil {
				f.add("Grants[%d]: %w", i, err)
			}
		}
	}
	if responds["token"] && c.Logger != nil {
		c.Logger.Warn("grantwell: the implicit grant is enabled; RFC 9700 section 2.1.2 advises against it")
	}
}

func (c *Config) prepareTokens(f *faults) {
	switch c.AccessTokenFormat {
	case "":
		c.AccessTokenFormat = "opaque"
	case "opaque":
	case "jwt":
		if c.Keys == nil {
			f.add("Keys: needed for the access token format jwt")
		}
	default:
		f.add("AccessTokenFormat: is opaque or jwt")
	}
	if c.Unrecorded && c.AccessTokenFormat != "jwt" && c.Strategy == nil {
		f.add("Unrecorded: an opaque token that is not recorded means nothing")
	}

	c.prepareTokenForms(f)
	if c.TokenType == "" {
		c.TokenType = "Bearer"
	}
	if len(c.Audience) == 0 {
		c.Audience = []string{c.Issuer}
	}
}

// prepareTokenForms checks the forms of the server's own tokens and of imported ones.
func (c *Config) prepareTokenForms(f *faults) {
	type validator interface{ Validate() error }
	for _, form := range []struct {
		name string
		validator
	}{{"AccessTokens", c.AccessTokens}, {"RefreshTokens", c.RefreshTokens}, {"Codes", c.Codes}} {
		if err := form.Validate(); err != nil {
			f.add("%s: %w", form.name, err)
		}
	}
	if len(c.Imported) > 4 {
		f.add("Imported: has more than 4 forms")
	}
	for i, form := range c.Imported {
		if form == nil {
			f.add("Imported[%d]: is nil", i)
		} else if v, ok := form.(validator); ok {
			if err := v.Validate(); err != nil {
				f.add("Imported[%d]: %w", i, err)
			}
		}
	}
}

func (c *Config) prepareLifetimes(f *faults) {
	const decade = 10 * 365 * 24 * time.Hour
	for _, d := range []struct {
		name        string
		value       *time.Duration
		preset      time.Duration
		least, most time.Duration
	}{
		{"AccessTokenLifetime", &c.AccessTokenLifetime, time.Hour, 0, decade},
		{"RefreshTokenLifetime", &c.RefreshTokenLifetime, 30 * 24 * time.Hour, 0, decade},
		{"RefreshTokenIdle", &c.RefreshTokenIdle, 0, 0, decade},
		{"CodeLifetime", &c.CodeLifetime, time.Minute, 0, 10 * time.Minute},
		{"InteractionLifetime", &c.InteractionLifetime, 10 * time.Minute, 0, 24 * time.Hour},
		{"Timeout", &c.Timeout, 2 * time.Second, 0, time.Minute},
		{"PAR.Lifetime", &c.PAR.Lifetime, time.Minute, 5 * time.Second, 10 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.preset
		}
		if *d.value < d.least || *d.value > d.most {
			f.add("%s: must be between %v and %v", d.name, d.least, d.most)
		}
	}
}

func (c *Config) preparePaths(f *faults) {
	preset := DefaultPaths()
	none := "-"
	used := map[string]string{}
	for _, p := range []struct {
		name          string
		value, preset *string
	}{
		{"Paths.Authorize", &c.Paths.Authorize, &preset.Authorize},
		{"Paths.Token", &c.Paths.Token, &preset.Token},
		{"Paths.Revoke", &c.Paths.Revoke, &preset.Revoke},
		{"Paths.Introspect", &c.Paths.Introspect, &preset.Introspect},
		{"Paths.TokenInfo", &c.Paths.TokenInfo, &preset.TokenInfo},
		{"Paths.JWKS", &c.Paths.JWKS, &preset.JWKS},
		{"Paths.Login", &c.Paths.Login, &preset.Login},
		{"Paths.Consent", &c.Paths.Consent, &preset.Consent},
		{"Paths.DisplayCode", &c.Paths.DisplayCode, &preset.DisplayCode},
		{"PAR.Path", &c.PAR.Path, &none},
	} {
		if *p.value == "" {
			*p.value = *p.preset
		}
		if *p.value == none {
			*p.value = ""
			continue
		}
		if !strings.HasPrefix(*p.value, "/") || strings.Contains(*p.value, "//") || strings.ContainsAny(*p.value, "?#{} ") {
			f.add("%s: needs to begin with / and be a plain path", p.name)
		}
		if other := used[*p.value]; other != "" {
			f.add("%s: is the same as %s", p.name, other)
		}
		used[*p.value] = p.name
	}
	if c.Keys == nil {
		c.Paths.JWKS = ""
	}
	if c.PAR.Required && c.PAR.Path == "" {
		f.add("PAR.Required: needs PAR.Path")
	}
}

func (c *Config) prepareRequests(f *faults) {
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	if c.MaxBody < 1<<10 || c.MaxBody > 16<<20 {
		f.add("MaxBody: must be between 1 KiB and 16 MiB")
	}
	switch c.Compat.ForeignRevocation {
	case 0:
		c.Compat.ForeignRevocation = 400
	case 200, 400, 403:
	default:
		f.add("Compat.ForeignRevocation: is 200, 400 or 403")
	}
	for _, p := range c.TrustedProxies {
		if !p.IsValid() {
			f.add("TrustedProxies: has an invalid prefix")
		}
	}
}

func (c *Config) prepareCookie(f *faults) {
	https := strings.HasPrefix(c.Issuer, "https:")
	whole := https && c.Cookie.Domain == "" && (c.Cookie.Path == "" || c.Cookie.Path == "/")
	switch {
	case c.Cookie.Name == "" && whole:
		c.Cookie.Name = "__Host-grantwell"
	case c.Cookie.Name == "":
		c.Cookie.Name = "grantwell"
	case strings.HasPrefix(c.Cookie.Name, "__Host-") && !whole:
		f.add("Cookie: a __Host- name needs https, no Domain and the Path /")
	}
	if c.Cookie.Path == "" {
		c.Cookie.Path = "/"
	}
}

func (c *Config) prepareClientAuth(f *faults) {
	if i := slices.Index(c.ClientAuth, nil); i >= 0 {
		f.add("ClientAuth[%d]: is nil", i)
		c.ClientAuth = slices.DeleteFunc(slices.Clone(c.ClientAuth), func(a ClientAuthenticator) bool { return a == nil })
	}
	builtIn := []string{storage.AuthClientSecretBasic, storage.AuthClientSecretPost, storage.AuthNone}
	if len(c.AuthMethods) == 0 {
		c.AuthMethods = slices.Clone(builtIn)
		for _, a := range c.ClientAuth {
			c.AuthMethods = append(c.AuthMethods, a.Methods()...)
		}
	}
	for _, m := range c.AuthMethods {
		verifies := func(a ClientAuthenticator) bool { return slices.Contains(a.Methods(), m) }
		if !slices.Contains(builtIn, m) && !slices.ContainsFunc(c.ClientAuth, verifies) {
			f.add("AuthMethods: nothing in ClientAuth verifies %q", m)
		}
	}
}
