package redisstore

import (
	"errors"
	"fmt"
)

// required are the settings without which a server may lose acknowledged writes.
var required = [...]struct{ name, value, why string }{
	{"appendonly", "yes", "a restart loses which codes were used and which tokens were revoked"},
	{"appendfsync", "always", "a server that is killed loses the last writes, although it answered them"},
	{"no-appendfsync-on-rewrite", "no", "nothing is synced while the log is rewritten, in spite of appendfsync"},
	{"maxmemory-policy", "noeviction", "a full server removes records to make room"},
}

// Settings returns the names of the settings that [New] needs to know.
func Settings() []string {
	names := make([]string, len(required))
	for i, r := range required {
		names[i] = r.name
	}
	return names
}

// Option changes what [New] accepts.
type Option func(*opts)

type opts struct {
	// warn is called with the reasons of a refusal, in place of the refusal. It
	// is nil without AllowLoss.
	warn func(error)
}

// AllowLoss makes New accept a server that may lose acknowledged writes, and pass
// the reasons to warn, which may be nil. An attacker can use what such a server
// loses: a spent code can be redeemed again, a revoked token is valid. It is for
// development, and for records whose loss does no harm.
func AllowLoss(warn func(error)) Option {
	return func(o *opts) {
		if o.warn = warn; warn == nil {
			o.warn = func(error) {}
		}
	}
}

// check returns every reason why a server with these settings could lose an
// acknowledged write. An unknown setting is a reason, because the defaults of
// Redis are not safe.
func check(settings map[string]string) error {
	var errs []error
	for _, r := range required {
		have, known := settings[r.name]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("redisstore: %s is not known and needs to be %q: otherwise %s", r.name, r.value, r.why))
		case have != r.value:
			errs = append(errs, fmt.Errorf("redisstore: %s is %q and needs to be %q: otherwise %s", r.name, have[:min(len(have), 40)], r.value, r.why))
		}
	}
	return errors.Join(errs...)
}
