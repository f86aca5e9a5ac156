package grants

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// sealed is what a spent refresh token's record keeps for a retry.
type sealed struct {
	Response Response `json:"response"`
	Request  string   `json:"request"` // what was asked, so that only the same request is a retry
}

// retryCipher is keyed from the presented token: whoever holds the store alone cannot open what it seals.
func retryCipher(token string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "grantwell refresh retry v1", 32)
	if err != nil {
		return nil, fmt.Errorf("grants: retry key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("grants: retry key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// same names what a request asks for, apart from the token.
func same(r *Request) string {
	parts := []string{r.Client.ID, strings.Join(r.Scope, " "), "resource"}
	parts = append(append(parts, r.Form["resource"]...), "cnf")
	for _, k := range slices.Sorted(maps.Keys(r.Confirmation)) {
		parts = append(parts, k, r.Confirmation[k])
	}
	return storage.JoinKey(parts...)
}

// seal writes the response into the record that is about to be spent.
func (g RefreshToken) seal(r *Request, token string, rec *storage.Record, d Data, res *Response) error {
	aead, err := retryCipher(token)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(sealed{Response: *res, Request: same(r)})
	if err != nil {
		return fmt.Errorf("grants: retry: %w", err)
	}
	d.Retry = aead.Seal(nil, nil, plain, []byte(rec.Key))
	d.RetryUntil = r.Now.Add(g.RetryWindow).UnixMilli()
	rec.Data, err = d.Encode()
	return err
}

// retry answers a request whose refresh token was spent: with the same successor when it is an honest retry,
// and otherwise with the end of the family.
func (g RefreshToken) retry(ctx context.Context, r *Request, token string, rec storage.Record, d Data) (*Grant, error) {
	res, why, err := g.replay(ctx, r, token, rec, d)
	if err != nil {
		return nil, Unavailable(err)
	}
	if why == "" {
		return &Grant{ID: rec.GrantID, Subject: rec.Subject, Consent: d.Consent, Scope: notNil(rec.Scope), Replay: res}, nil
	}
	if err := r.Records.Revoke(ctx, rec.GrantID); err != nil {
		return nil, Unavailable(err)
	}
	return nil, InvalidGrant("refresh token was used before (%s); its family is revoked", why)
}

// replay opens the stored answer. why is empty if it may be given again.
func (g RefreshToken) replay(ctx context.Context, r *Request, token string, rec storage.Record, d Data) (res *Response, why string, err error) {
	until := time.UnixMilli(d.RetryUntil)
	if g.RetryWindow == 0 || len(d.Retry) == 0 || !r.Now.Before(until) {
		return nil, "no retry is open", nil
	}
	if r.Client.Ended(rec.IssuedAt) {
		return nil, "what the client had then has ended", nil
	}
	aead, err := retryCipher(token)
	if err != nil {
		return nil, "", err
	}
	plain, err := aead.Open(nil, nil, d.Retry, []byte(rec.Key))
	if err != nil {
		return nil, "", fmt.Errorf("grants: retry data: %w", err)
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, "", fmt.Errorf("grants: retry data: %w", err)
	}
	if s.Request != same(r) {
		return nil, "for another request", nil
	}
	if next := s.Response.RefreshToken; next != "" {
		successor, err := r.Records.Get(ctx, storage.Refresh, storage.Key(next))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, "", err
		}
		if err != nil || successor.State != storage.Active || successor.Expired(r.Now) {
			return nil, "its successor was used or is gone", nil
		}
	}
	ok, err := g.countRetry(ctx, r.Records, rec.Key, until)
	if err != nil || !ok {
		return nil, "too many retries", err
	}
	return &s.Response, "", nil
}

// countRetry takes one of MaxRetries places. Each place is an identifier that can be used once, so that no number of
// retries at the same moment passes the bound; starting anywhere keeps the search short.
func (g RefreshToken) countRetry(ctx context.Context, records storage.Records, key string, until time.Time) (bool, error) {
	n := g.MaxRetries
	if n == 0 {
		n = 128
	}
	first := rand.IntN(n)
	for i := range n {
		ok, err := storage.UseOnce(ctx, records, "refresh retry "+key, strconv.Itoa((first+i)%n), until)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
