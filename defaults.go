package grantwell

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
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
	for i, o := range c.Origins {
		if err := storage.CheckOrigin(o); err != nil {
			f.Add("Origins[%d]: %q %v", i, o, err)
		}
	}
	for i, name := range c.OriginHeaders {
		if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || name == "" {
			f.Add("OriginHeaders[%d]: is not the name of a header", i)
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

// notServed is a path that is not served.
const notServed = "-"

func (c *Config) preparePaths() {
	paths := reflect.ValueOf(&c.Paths).Elem()
	presets := reflect.ValueOf(DefaultPaths())
	for i := range paths.NumField() {
		switch path := paths.Field(i); path.String() {
		case "":
			path.Set(presets.Field(i))
			if path.String() == notServed {
				path.SetString("")
			}
		case notServed:
			path.SetString("")
		}
	}
	if c.Keys == nil {
		c.Paths.JWKS = ""
	}
}

// checkPaths judges the paths of the configuration and those of specifications.
func (c *Config) checkPaths(endpoints []seam.Endpoint) error {
	var f faults.List
	used := map[string]string{}
	check := func(name, path string) {
		if path == "" {
			return
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsFunc(path, outsidePath) {
			f.Add("%s: needs to begin with / and be a plain path", name)
		}
		if other := used[path]; other != "" {
			f.Add("%s: is the same as %s", name, other)
		}
		used[path] = name
	}

	paths := reflect.ValueOf(c.Paths)
	for i := range paths.NumField() {
		check("Paths."+paths.Type().Field(i).Name, paths.Field(i).String())
	}
	for _, e := range endpoints {
		check(strings.ToUpper(e.Name)+".Path", e.Path)
	}

	return f.Err()
}

// outsidePath reports whether a path must not have a character.
func outsidePath(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("?#{}%\\", c) }

// warn logs what is allowed and advised against.
func (c *Config) warn() {
	listed := slices.ContainsFunc(c.Grants, func(g grants.Handler) bool { return g.GrantType() == "implicit" })
	if listed && c.Logger != nil {
		c.Logger.Warn("grantwell: the implicit grant is enabled; RFC 9700 section 2.1.2 advises against it")
	}
}
