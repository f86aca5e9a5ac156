package redisstore

import (
	"errors"
	"fmt"
)

// required are the settings without which a server may forget what it has acknowledged.
var required = [...]struct{ name, value, why string }{
	{"appendonly", "yes", "a restart forgets which codes were used and which tokens were revoked"},
	{"appendfsync", "always", "a server that is killed forgets the last of them, even though it had answered"},
	{"no-appendfsync-on-rewrite", "no", "while the log is rewritten nothing is synced, whatever appendfsync says"},
	{"maxmemory-policy", "noeviction", "a full server removes them to make room"},
}

// Settings returns the names of the settings that [New] wants to see.
func Settings() []string {
	names := make([]string, len(required))
	for i, r := range required {
		names[i] = r.name
	}
	return names
}

// Option changes what [New] accepts.
type Option func(*opts)

type opts struct{ warn func(error) }

// AllowLoss makes New accept a server that may forget acknowledged writes, and gives the reasons to warn instead.
// What it may forget, an attacker can use again: a spent code buys tokens a second time, a revoked token is valid.
// It is for development, and for records whose loss harms nobody.
func AllowLoss(warn func(error)) Option {
	return func(o *opts) {
		if o.warn = warn; warn == nil {
			o.warn = func(error) {}
		}
	}
}

// check returns every reason why a server with these settings could lose an acknowledged write.
// A setting that is not known is one: the defaults of Redis are not safe.
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
