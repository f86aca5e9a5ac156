package assertion

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

// RemoteKeys fetches the key sets of URLs, for example the jwks_uri of clients (RFC
// 7591 section 2), and keeps them. One value serves all clients and issuers of a
// server. The zero value is ready. Set fields before its first use.
//
// A set is used for MaxAge. If a token names a kid that the set lacks, it is fetched
// again, but at most once in Interval, so that tokens with invented kids cause no
// traffic. After a failure the next fetch waits a tenth of Interval. Callers that
// need the same set at the same time share one fetch. While fetches fail, the last
// good set is used for at most MaxStale beyond its age.
type RemoteKeys struct {
	// Fetcher fetches the sets. Nil means one with defaults.
	Fetcher *Fetcher
	// MaxAge is how long a set is used. Zero means one hour.
	MaxAge time.Duration
	// Interval is the least time between two fetches. Zero means 5 minutes.
	Interval time.Duration
	// MaxStale is how long the last good set is used beyond its age. Zero means
	// 24 hours.
	MaxStale time.Duration
	// MaxURLs is the number of sets that are kept. The least recently used one
	// is dropped first. Zero means 1000.
	MaxURLs int
	// Dropped is called after a fetch with the keys of a set that were left out, as
	// [KeySet.Dropped] returns them, if they are not those of the last fetch: once when
	// a key becomes unusable, and once with an empty list when none is left out any
	// more. It runs in the goroutine of the fetch, so it must be quick. It may be nil.
	Dropped func(url string, reasons []string)

	mu   sync.Mutex
	own  Fetcher
	sets map[string]*remoteSet
}

const (
	defaultKeyAge   = time.Hour
	defaultInterval = 5 * time.Minute
	defaultStale    = 24 * time.Hour
	defaultURLs     = 1000
)

type remoteSet struct {
	fetch.Document[*KeySet]
	used time.Time // guarded by RemoteKeys.mu
	said changes   // the keys that were left out
}

// changes remembers a list of reasons, so that the same ones are said once. Fetches of
// one document do not overlap, so that it needs no lock.
type changes []string

// say calls the function, which may be nil, if the reasons are not the last ones.
func (c *changes) say(report func(name string, reasons []string), name string, reasons []string) {
	if report == nil || slices.Equal(*c, reasons) {
		return
	}
	*c = slices.Clone(reasons)
	report(name, slices.Clone(reasons))
}

// Keys returns the key set of the URL for a token that names kid, or that names no
// key if kid is "". The set is fetched if it is absent, old, or lacks the kid. An
// error means that there is no usable set, or that it lacks the kid and could not
// be fetched.
func (r *RemoteKeys) Keys(ctx context.Context, url, kid string) (*KeySet, error) {
	fetcher, set := r.entry(url)
	enough := func(s *KeySet) bool { return s.has(kid) }
	load := func(ctx context.Context) (*KeySet, time.Duration, error) {
		body, err := fetcher.Fetch(ctx, url)
		if err != nil {
			return nil, 0, err
		}
		keys, err := ParseJWKS(body)
		if err == nil {
			set.said.say(r.Dropped, url, keys.dropped)
		}
		return keys, 0, err
	}
	return set.Get(ctx, refreshPolicy(r.MaxAge, r.Interval, r.MaxStale), enough, load)
}

// refreshPolicy returns the policy of documents that are fetched. Durations that
// are not positive mean the default.
func refreshPolicy(maxAge, interval, maxStale time.Duration) fetch.Policy {
	interval = positive(interval, defaultInterval)
	return fetch.Policy{
		MaxAge:   positive(maxAge, defaultKeyAge),
		Interval: interval,
		Retry:    interval / 10,
		MaxStale: positive(maxStale, defaultStale),
	}
}

// URL returns the key set of a URL as a [KeySetSource].
func (r *RemoteKeys) URL(url string) KeySetSource { return remoteURL{r, url} }

type remoteURL struct {
	keys *RemoteKeys
	url  string
}

func (u remoteURL) Keys(ctx context.Context, kid string) (*KeySet, error) {
	return u.keys.Keys(ctx, u.url, kid)
}

// entry returns the set of the URL, which may be new and empty.
func (r *RemoteKeys) entry(url string) (*Fetcher, *remoteSet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fetcher := r.Fetcher
	if fetcher == nil {
		fetcher = &r.own
	}
	if set := r.sets[url]; set != nil {
		set.used = time.Now()
		return fetcher, set
	}

	most := r.MaxURLs
	if most <= 0 {
		most = defaultURLs
	}
	if r.sets == nil {
		r.sets = make(map[string]*remoteSet)
	}
	if len(r.sets) >= most {
		r.evict()
	}
	set := &remoteSet{used: time.Now()}
	r.sets[url] = set
	return fetcher, set
}

// evict drops the least recently used set.
func (r *RemoteKeys) evict() {
	var oldest string
	for url, set := range r.sets {
		if o := r.sets[oldest]; o == nil || set.used.Before(o.used) {
			oldest = url
		}
	}
	delete(r.sets, oldest)
}

// positive returns d, or preset if d is not positive.
func positive(d, preset time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return preset
}
