package grantwell

import (
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/base/endpointpath"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/base/peer"
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
	const decade = 10 * 365 * 24 * time.Hour
	f.Duration("AccessTokenLifetime", &c.AccessTokenLifetime, time.Hour, decade)
	f.Duration("RefreshTokenLifetime", &c.RefreshTokenLifetime, 30*24*time.Hour, decade)
	f.Duration("RefreshTokenIdle", &c.RefreshTokenIdle, 0, decade)
	f.Duration("CodeLifetime", &c.CodeLifetime, time.Minute, 10*time.Minute)
	f.Duration("InteractionLifetime", &c.InteractionLifetime, 10*time.Minute, 24*time.Hour)
	f.Duration("Timeout", &c.Timeout, 2*time.Second, time.Minute)
	c.peers = &peer.Proxies{Networks: c.TrustedProxies, Socket: c.TrustedSocket, Logger: c.Logger}
	endpointpath.Fill(&c.Paths, DefaultPaths())
	if c.Keys == nil {
		c.Paths.JWKS = ""
	}
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
