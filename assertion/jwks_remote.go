package assertion

import (
	"context"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

// RemoteKeys are key sets behind URLs, such as the jwks_uri of clients (RFC 7591 section 2). One value
// serves all clients and issuers of a server. The zero value is ready; set fields before its first use.
//
// A set is kept for MaxAge. A token whose kid it lacks has it fetched again, but not more often than
// once in Interval, so that tokens with invented kids cause no traffic; after a failure the next try waits a
// tenth of Interval. Callers that need the same set at the same time wait for one fetch. When a fetch
// fails, the last good set is used for at most MaxStale beyond its age.
type RemoteKeys struct {
	Fetcher  *Fetcher      // nil: one with defaults
	MaxAge   time.Duration // 1 h by default
	Interval time.Duration // 5 min by default
	MaxStale time.Duration // 24 h by default
	MaxURLs  int           // sets kept at most, 1000 by default; the one used longest ago makes room

	mu   sync.Mutex
	own  Fetcher
	sets map[string]*remoteSet
}

type remoteSet struct {
	fetch.Document[*KeySet]
	used time.Time // guarded by RemoteKeys.mu
}

// Keys returns the key set behind url, fetched if need be. It is wanted for a token that names kid, or
// names none if kid is "". An error means that there is no set that is fit for use.
func (r *RemoteKeys) Keys(ctx context.Context, url, kid string) (*KeySet, error) {
	fetcher, set, policy := r.entry(url)
	return set.Get(ctx, policy, func(s *KeySet) bool { return s.has(kid) },
		func(ctx context.Context) (*KeySet, time.Duration, error) {
			body, err := fetcher.Fetch(ctx, url)
			if err != nil {
				return nil, 0, err
			}
			keys, err := ParseJWKS(body)
			return keys, 0, err
		})
}

// URL returns the key set behind url as a [KeySetSource].
func (r *RemoteKeys) URL(url string) KeySetSource { return remoteURL{r, url} }

type remoteURL struct {
	keys *RemoteKeys
	url  string
}

func (u remoteURL) Keys(ctx context.Context, kid string) (*KeySet, error) {
	return u.keys.Keys(ctx, u.url, kid)
}

func (r *RemoteKeys) entry(url string) (*Fetcher, *remoteSet, fetch.Policy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fetcher := r.Fetcher
	if fetcher == nil {
		fetcher = &r.own
	}
	interval := positive(r.Interval, 5*time.Minute)
	policy := fetch.Policy{
		MaxAge:   positive(r.MaxAge, time.Hour),
		Interval: interval,
		Retry:    interval / 10,
		MaxStale: positive(r.MaxStale, 24*time.Hour),
	}
	if set := r.sets[url]; set != nil {
		set.used = time.Now()
		return fetcher, set, policy
	}
	most := r.MaxURLs
	if most <= 0 {
		most = 1000
	}
	if r.sets == nil {
		r.sets = make(map[string]*remoteSet)
	}
	if len(r.sets) >= most {
		r.evict()
	}
	set := &remoteSet{used: time.Now()}
	r.sets[url] = set
	return fetcher, set, policy
}

// evict drops the set that was used longest ago.
func (r *RemoteKeys) evict() {
	var oldest string
	for url, set := range r.sets {
		if o := r.sets[oldest]; o == nil || set.used.Before(o.used) {
			oldest = url
		}
	}
	delete(r.sets, oldest)
}

// positive returns d, or def if d is not positive.
func positive(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}
