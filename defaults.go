package grantwell

import (
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/base/endpointpath"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/seam"
)

// prepare fills in the defaults and returns every reason why the configuration is
// wrong, as far as the rooms do not judge it.
func (c *Config) prepare() error {
	c.Grants = slices.Clone(c.Grants)
	var f faults.List
	if c.Clients == nil {
		f.Add("Clients: is missing")
	}
	if c.Records == nil {
		f.Add("Records: is missing; storage/memstore keeps them in this process's memory")
	}
	c.prepareLifetimes(&f)
	c.preparePaths()
	switch c.Compat.ForeignRevocation {
	case 0:
		c.Compat.ForeignRevocation = 400
	case 200, 400, 403:
	default:
		f.Add("Compat.ForeignRevocation: is 200, 400 or 403")
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	if c.MaxBody < 1<<10 || c.MaxBody > 16<<20 {
		f.Add("MaxBody: must be between 1 KiB and 16 MiB")
	}
	if len(c.AuthorizeParameters) > 20 || slices.Contains(c.AuthorizeParameters, "") {
		f.Add("AuthorizeParameters: has more than 20 names, or an empty one")
	}
	for _, p := range c.TrustedProxies {
		if !p.IsValid() {
			f.Add("TrustedProxies: has an invalid prefix")
		}
	}
	if c.TokenType == "" {
		c.TokenType = "Bearer"
	}
	if len(c.Audience) == 0 {
		c.Audience = []string{c.Issuer}
	}
	if c.Limiter == nil {
		c.Limiter = limit.NewMemory(nil)
	}

	return f.Err()
}

func (c *Config) prepareLifetimes(f *faults.List) {
	const decade = 10 * 365 * 24 * time.Hour
	for _, d := range []struct {
		name         string
		value        *time.Duration
		preset, most time.Duration
	}{
		{"AccessTokenLifetime", &c.AccessTokenLifetime, time.Hour, decade},
		{"RefreshTokenLifetime", &c.RefreshTokenLifetime, 30 * 24 * time.Hour, decade},
		{"RefreshTokenIdle", &c.RefreshTokenIdle, 0, decade},
		{"CodeLifetime", &c.CodeLifetime, time.Minute, 10 * time.Minute},
		{"InteractionLifetime", &c.InteractionLifetime, 10 * time.Minute, 24 * time.Hour},
		{"Timeout", &c.Timeout, 2 * time.Second, time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.preset
		}
		if *d.value < 0 || *d.value > d.most {
			f.Add("%s: must be between 0s and %v", d.name, d.most)
		}
	}
}

func (c *Config) preparePaths() {
	endpointpath.Fill(&c.Paths, DefaultPaths())
	if c.Keys == nil {
		c.Paths.JWKS = ""
	}
}

// checkPaths judges the paths of the configuration and those of specifications.
func (c *Config) checkPaths(endpoints []seam.Endpoint) error {
	further := make(map[string]string)
	for _, e := range endpoints {
		further[strings.ToUpper(e.Name)+".Path"] = e.Path
	}

	return endpointpath.Check(c.Paths, further)
}

// warn logs what is allowed and advised against.
func (c *Config) warn() {
	listed := slices.ContainsFunc(c.Grants, func(g grants.Handler) bool { return g.GrantType() == "implicit" })
	if listed && c.Logger != nil {
		c.Logger.Warn("grantwell: the implicit grant is enabled; RFC 9700 section 2.1.2 advises against it")
	}
}
