package assertion

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crewjam/saml"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

// MetadataSource is an [IssuerSource] of one SAML identity provider, whose metadata is fetched and kept up to
// date. URL and EntityID are required; set fields before the first use. It is safe for concurrent use.
//
// Metadata is fetched again after its cacheDuration, or after MaxAge if that is shorter or there is none,
// and at most once in Interval. When that fails, the last good copy serves until its validUntil, and for
// no longer than MaxStale beyond its age. An assertion that comes while there is no good copy is refused with
// server_error. Asking for another entityID causes no fetch.
type MetadataSource struct {
	URL      string // https, as [Fetcher] demands
	EntityID string
	// Pinned are the keys that the metadata must be signed with. With none, it is believed because of https.
	Pinned []crypto.PublicKey
	// Configure completes each new issuer: its clients, its subject mapping, its limits. It must not
	// change ID or, if it is to follow the metadata, Keys. It may be nil.
	Configure func(*Issuer)

	Fetcher  *Fetcher      // nil: one with defaults
	MaxAge   time.Duration // 1 h by default
	Interval time.Duration // 5 min by default; a tenth of it after a failure
	MaxStale time.Duration // 24 h by default

	own   Fetcher
	once  sync.Once
	cache fetch.Document[*metadataIssuer]
}

type metadataIssuer struct {
	issuer *Issuer
	until  time.Time // zero: no end is stated
}

var _ IssuerSource = (*MetadataSource)(nil)

// Issuer implements [IssuerSource].
func (m *MetadataSource) Issuer(ctx context.Context, id string) (*Issuer, error) {
	if id != m.EntityID || id == "" {
		return nil, ErrUnknownIssuer
	}
	m.once.Do(func() {
		if m.Fetcher == nil {
			m.Fetcher = &m.own
		}
	})
	interval := positive(m.Interval, 5*time.Minute)
	policy := fetch.Policy{
		MaxAge:   positive(m.MaxAge, time.Hour),
		Interval: interval,
		Retry:    interval / 10,
		MaxStale: positive(m.MaxStale, 24*time.Hour),
	}
	got, err := m.cache.Get(ctx, policy, func(i *metadataIssuer) bool { return !passed(&i.until, time.Now()) }, m.load)
	if err != nil {
		return nil, err
	}
	if passed(&got.until, time.Now()) {
		return nil, fmt.Errorf("assertion: metadata: the last copy was valid until %s", instant(got.until))
	}
	return got.issuer, nil
}

func (m *MetadataSource) load(ctx context.Context) (*metadataIssuer, time.Duration, error) {
	body, err := m.Fetcher.Fetch(ctx, m.URL)
	if err != nil {
		return nil, 0, err
	}
	var ed *saml.EntityDescriptor
	if len(m.Pinned) > 0 {
		ed, err = ParseSignedMetadata(bytes.NewReader(body), m.EntityID, m.Pinned...)
	} else {
		ed, err = ParseMetadata(bytes.NewReader(body), m.EntityID)
	}
	if err != nil {
		return nil, 0, err
	}
	issuer, err := IssuerFromMetadata(ed, time.Now())
	if err != nil {
		return nil, 0, err
	}
	if m.Configure != nil {
		m.Configure(issuer)
	}
	if issuer.ID != m.EntityID {
		return nil, 0, errors.New("assertion: metadata: Configure has changed the issuer's ID")
	}
	return &metadataIssuer{issuer, ed.ValidUntil}, ed.CacheDuration, nil
}
