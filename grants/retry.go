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

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// sealed is what the record of a spent refresh token keeps for a retry.
type sealed struct {
	Response Response `json:"response"`
	Request  string   `json:"request"` // names the request: only the same one is a retry
}

// retryCipher has a key that is derived from the presented token, so that the
// contents of the store alone cannot open what it seals.
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

// requestName names what a request asks for, apart from the token.
func requestName(r *Request) string {
	parts := []string{r.Client.ID, strings.Join(r.Scope, " "), "resource"}
	parts = append(parts, r.Form["resource"]...)
	parts = append(parts, "cnf")
	for _, k := range slices.Sorted(maps.Keys(r.Confirmation)) {
		parts = append(parts, k, r.Confirmation[k])
	}

	return storage.JoinKey(parts...)
}

// seal writes the response into the record that is about to be spent.
func seal(r *Request, window time.Duration, token string, rec *storage.Record, d *record.Data, res *Response) error {
	aead, err := retryCipher(token)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(sealed{Response: *res, Request: requestName(r)})
	if err != nil {
		return fmt.Errorf("grants: retry: %w", err)
	}

	d.Retry = aead.Seal(nil, nil, plain, []byte(rec.Key))
	d.RetryUntil = r.Now.Add(window).UnixMilli()
	rec.Data, err = d.Encode()

	return err
}

// retry answers a request whose refresh token was spent: with the same successor if
// it is an honest retry, and otherwise with the end of the family.
func (g RefreshToken) retry(ctx context.Context, r *Request, token string, rec storage.Record, d record.Data) (*Grant, error) {
	res, why, err := g.replay(ctx, r, token, rec, &d)
	if err != nil {
		return nil, Unavailable(err)
	}
	if why == "" {
		out := &Grant{Subject: rec.Subject}
		out.ID = rec.GrantID
		out.Consent = int(d.Consent)
		out.Scope = notNil(rec.Scope)
		out.Replay = res
		return out, nil
	}

	if err := r.Records.Revoke(ctx, rec.GrantID); err != nil {
		return nil, Unavailable(err)
	}

	return nil, InvalidGrant("refresh token was used before (%s); its family is revoked", why).For(ReasonRefreshReused)
}

// replay opens the stored answer. why is empty if it may be given again.
func (g RefreshToken) replay(
	ctx context.Context,
	r *Request,
	token string,
	rec storage.Record,
	d *record.Data,
) (res *Response, why string, err error) {
	until := time.UnixMilli(d.RetryUntil)
	switch {
	case g.Strict || len(d.Retry) == 0 || !r.Now.Before(until):
		return nil, "no retry is open", nil
	case r.Client.Ended(rec.IssuedAt):
		return nil, "what the client had then has ended", nil
	}

	s, err := unseal(token, rec.Key, d.Retry)
	if err != nil {
		return nil, "", err
	}
	if s.Request != requestName(r) {
		return nil, "for another request", nil
	}
	if next := s.Response.RefreshToken; next != "" {
		const successorGone = "its successor was used or is gone"
		successor, err := r.Records.Get(ctx, storage.Refresh, storage.Key(next))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return nil, successorGone, nil
		case err != nil:
			return nil, "", err
		case successor.State != storage.Active || successor.Expired(r.Now):
			return nil, successorGone, nil
		}
	}

	ok, err := g.countRetry(ctx, r.Records, rec.Key, until)
	if err != nil || !ok {
		return nil, "too many retries", err
	}

	return &s.Response, "", nil
}

// unseal opens what seal wrote.
func unseal(token, recordKey string, text []byte) (sealed, error) {
	var s sealed
	aead, err := retryCipher(token)
	if err != nil {
		return s, err
	}
	plain, err := aead.Open(nil, nil, text, []byte(recordKey))
	if err != nil {
		return s, fmt.Errorf("grants: retry data: %w", err)
	}
	if err := json.Unmarshal(plain, &s); err != nil {
		return s, fmt.Errorf("grants: retry data: %w", err)
	}

	return s, nil
}

// countRetry takes one of MaxRetries places. Each place is an identifier that can be
// used once, so that no number of retries at the same moment passes the bound. The
// search starts at a random place, which keeps it short.
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
