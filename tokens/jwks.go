package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/grantwell/grantwell/internal/base/cors"
)

const (
	defaultMaxAge  = 5 * time.Minute
	maxIfNoneMatch = 4 << 10 // bytes of one header field
)

// PublicJWKS returns the published keys as a JWK Set (RFC 7517 section 5): the
// public members, kid, alg, and use "sig". It returns an error if a key is not
// valid, if two keys have the same ID, or if there is no key.
func PublicJWKS(ctx context.Context, keys Keys) ([]byte, error) {
	published, err := keys.Published(ctx)
	if err != nil {
		return nil, fmt.Errorf("tokens: no keys to publish: %w", err)
	}
	if len(published) == 0 {
		return nil, errors.New("tokens: no keys to publish")
	}
	if err := checkKeys(published); err != nil {
		return nil, err
	}

	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(published))}
	for _, k := range published {
		// The result has a type of public keys, which have no private members.
		pub, err := k.public()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key:       pub,
			KeyID:     k.ID,
			Algorithm: k.Algorithm,
			Use:       "sig",
		})
	}
	return json.Marshal(set)
}

// JWKSHandler serves the published keys. It is [JWKS] with its defaults.
func JWKSHandler(keys Keys) http.Handler { return JWKS{Keys: keys} }

// JWKS is the handler of a JWK Set document, the jwks_uri of RFC 8414.
//
// It answers GET and HEAD with an ETag. The type is application/json, which every
// client accepts. Scripts of any origin may read the answer, because nothing in
// it is secret. If the keys cannot be had, it answers 503 with a JSON error that
// does not contain the cause.
type JWKS struct {
	// Keys are the keys to publish. Required.
	Keys Keys
	// MaxAge is how long clients may keep the answer, in whole seconds. It
	// must be shorter than the time for which a key is published before it
	// signs (see [Rotation]). Zero means 5 minutes. Negative: clients must ask
	// each time.
	MaxAge time.Duration
}

// ServeHTTP answers with the keys that are published now.
func (h JWKS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if cors.Public(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		answer(w, r, http.StatusMethodNotAllowed, []byte(`{"error":"invalid_request"}`))
		return
	}
	body, err := PublicJWKS(r.Context(), h.Keys)
	if err != nil {
		header.Set("Cache-Control", "no-store")
		answer(w, r, http.StatusServiceUnavailable, []byte(`{"error":"temporarily_unavailable"}`))
		return
	}

	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	header.Set("ETag", etag)
	header.Set("Cache-Control", h.cacheControl())
	if etagMatches(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	answer(w, r, http.StatusOK, body)
}

func (h JWKS) cacheControl() string {
	age := h.MaxAge
	if age == 0 {
		age = defaultMaxAge
	}
	if age < time.Second {
		return "no-cache"
	}
	return "public, max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
}

// answer writes a JSON body, or only its headers for HEAD.
func answer(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// etagMatches reports whether If-None-Match names the ETag. The comparison is the
// weak one of RFC 9110 section 13.1.2. A field that is too long is passed over.
func etagMatches(fields []string, etag string) bool {
	for _, field := range fields {
		if len(field) > maxIfNoneMatch {
			continue
		}
		for tag := range strings.SplitSeq(field, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
