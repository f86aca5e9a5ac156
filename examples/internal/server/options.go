package server

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
)

// options are the settings of the command line.
type options struct {
	addr    string
	issuer  string
	tlsCert string
	tlsKey  string
	proxy   string

	clients string
	users   string
	store   string
	secrets string
	demo    string

	accessToken   string
	retryWindow   time.Duration
	strictRefresh bool
	gateway       bool

	assertionLifetime time.Duration
	legacyAudience    bool
	anyPlace          bool
	log               bool
}

// parseFlags reads the command line. It ends the program if that is wrong.
func parseFlags(flags *flag.FlagSet, args []string, stores Stores) options {
	var o options
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8089",
		"`address` to listen on; port 0 picks a free one")
	flags.StringVar(&o.issuer, "issuer", "",
		"issuer `URL`; default: from -addr, https if there is a certificate")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, a PEM `file`")
	flags.StringVar(&o.tlsKey, "tls-key", "", "private key of the certificate, a PEM `file`")
	flags.StringVar(&o.clients, "clients", "",
		"further clients: a JSON `file`, an array in the names of RFC 7591")
	flags.StringVar(&o.users, "users", "",
		"further users: a JSON `file`, an array of username, password, sub, claims")
	flags.StringVar(&o.accessToken, "access-token", "opaque",
		"form of access tokens: opaque or jwt (RFC 9068)")
	flags.StringVar(&o.store, "store", "memory",
		"where codes, tokens, clients and sessions are kept: "+stores.Usage)
	flags.StringVar(&o.secrets, "secrets", "",
		"`file` with the keys and the demo secrets that instances and restarts share, made if it does not exist; "+
			"default: new ones in memory, and for other stores a file in the user's cache directory")
	flags.StringVar(&o.demo, "demo", "",
		"`file` that describes this server to the client programs; "+
			"default: in the user's cache directory; \"-\": none")
	flags.StringVar(&o.proxy, "trusted-proxy", "",
		"`addresses` or networks whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed, "+
			"with commas between them, for example 127.0.0.1,10.0.0.0/8")
	flags.BoolVar(&o.gateway, "gateway", false,
		"answer as an API gateway's OAuth service does: its paths, formats and lifetimes")
	flags.BoolVar(&o.anyPlace, "any-secret-place", false,
		"take a client's secret from the Basic header or the body, wherever it is registered for")
	flags.DurationVar(&o.assertionLifetime, "assertion-lifetime", 0,
		"longest life of an assertion that a client signs for a grant; 0: the library's, 5 minutes")
	flags.BoolVar(&o.legacyAudience, "legacy-audience", false,
		"accept the token endpoint as the audience of a client assertion, as RFC 7523 allowed")
	flags.BoolVar(&o.log, "log", false, "log every outcome to standard error")
	flags.DurationVar(&o.retryWindow, "retry-window", grants.DefaultRetryWindow,
		"time in which a lost refresh answer is given again; "+
			"the default is the library's, 0 is the same as -strict-refresh")
	flags.BoolVar(&o.strictRefresh, "strict-refresh", false,
		"end the family at every second use of a refresh token, a retry included")
	_ = flags.Parse(args) // the flag set ends the program itself (ExitOnError)

	if flags.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "server: unexpected argument:", flags.Arg(0))
		os.Exit(2)
	}
	if o.strictRefresh && !given(flags, "retry-window") {
		o.retryWindow = 0
	}

	return o
}

// given reports whether the command line has the flag.
func given(flags *flag.FlagSet, name string) bool {
	found := false
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })

	return found
}

// refresh returns the refresh token grant that the options ask for. If they ask for
// both a window and none, grantwell.New refuses the contradiction.
func (o options) refresh() grants.RefreshToken {
	return grants.RefreshToken{
		RetryWindow: o.retryWindow,
		Strict:      o.strictRefresh || o.retryWindow == 0,
	}
}

// trustProxies adds the proxies of the flag to the configuration.
func (o options) trustProxies(cfg *grantwell.Config) error {
	for text := range strings.SplitSeq(o.proxy, ",") {
		text = strings.TrimSpace(text)
		network, err := netip.ParsePrefix(text)
		if addr, one := netip.ParseAddr(text); one == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network", text)
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, network)
	}

	return nil
}
