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

// MetadataSource is an [IssuerSource] of one SAML identity provider, whose metadata
// is fetched and kept up to date. URL and EntityID are required. Set fields before
// the first use. It is safe for concurrent use.
//
// Metadata is fetched again after its cacheDuration, or after MaxAge if that is
// shorter or there is none, and at most once in Interval. While fetches fail, the
// last good copy is used until its validUntil, and for no longer than MaxStale
// beyond its age. While there is no good copy, assertions are refused with
// server_error. Another entityID causes no fetch.
type MetadataSource struct {
	// URL is that of the metadata: https, as [Fetcher] demands.
	URL      string
	EntityID string
	// Pinned are the keys of which one must have signed the metadata. Without
	// any, the metadata is trusted because it came by https.
	Pinned []crypto.PublicKey
	// Configure completes each new issuer: its clients, its subject mapping,
	// its limits. It must not change ID. If it changes Keys, those of the
	// metadata are not used. It may be nil.
	Configure func(*Issuer)
	// Dropped is called after a fetch with the roles and keys that were left out, as
	// [DroppedKeys] returns them, if they are not those of the last fetch: once when a
	// key becomes unusable, and once with an empty list when none is left out any more.
	// It runs in the goroutine of the fetch, so it must be quick. It may be nil.
	Dropped func(entityID string, reasons []string)

	// Fetcher fetches the metadata. Nil means one with defaults.
	Fetcher *Fetcher
	// MaxAge is how long metadata is used. Zero means one hour.
	MaxAge time.Duration
	// Interval is the least time between two fetches, and a tenth of it after
	// a failure. Zero means 5 minutes.
	Interval time.Duration
	// MaxStale is how long the last good copy is used beyond its age. Zero
	// means 24 hours.
	MaxStale time.Duration

	own   Fetcher
	once  sync.Once
	cache fetch.Document[*metadataIssuer]
	said  changes // the keys that were left out
}

// metadataIssuer is an issuer with the validUntil of its metadata, which is zero if
// there is none.
type metadataIssuer struct {
	issuer *Issuer
	until  time.Time
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

	policy := refreshPolicy(m.MaxAge, m.Interval, m.MaxStale)
	valid := func(i *metadataIssuer) bool { return !passed(&i.until, time.Now()) }
	got, err := m.cache.Get(ctx, policy, valid, m.load)
	if err != nil {
		return nil, err
	}
	if passed(&got.until, time.Now()) {
		return nil, fmt.Errorf("assertion: metadata: the last copy was valid until %s", instant(got.until))
	}
	return got.issuer, nil
}

// load fetches the metadata and makes an issuer of it.
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

	now := time.Now()
	m.said.say(m.Dropped, m.EntityID, DroppedKeys(ed, now))
	issuer, err := IssuerFromMetadata(ed, now)
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
