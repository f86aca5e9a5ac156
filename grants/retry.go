package grants

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
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

	"github.com/grantwell/grantwell/internal/base/jsonenc"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// sealed is what the record of a spent refresh token keeps for a retry: the answer,
// and the name of the request, because only the same request is a retry.
type sealed struct {
	Request      string         `json:"request"`
	Key          string         `json:"key"`
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresAt    int64          `json:"expires_at"` // Unix nanoseconds
	RefreshToken string         `json:"refresh_token"`
	Scope        []string       `json:"scope"`
	Extra        map[string]any `json:"extra"`
}

// encode writes the document. It runs at every refresh, where encoding/json would
// take a large part of the time.
func (s *sealed) encode() ([]byte, error) {
	o := jsonenc.Object{Text: make([]byte, 0, 384)}
	o.String("request", s.Request)
	o.String("key", s.Key)
	o.String("access_token", s.AccessToken)
	o.String("token_type", s.TokenType)
	o.Int("expires_at", s.ExpiresAt)
	o.String("refresh_token", s.RefreshToken)
	o.Name("scope")
	o.Text = jsonenc.Strings(o.Text, s.Scope)
	if len(s.Extra) > 0 {
		if err := o.Value("extra", s.Extra); err != nil {
			return nil, err
		}
	}

	return o.End(), nil
}

// response returns the answer.
func (s *sealed) response() *Response {
	return &Response{
		AccessToken:  s.AccessToken,
		TokenType:    s.TokenType,
		ExpiresAt:    time.Unix(0, s.ExpiresAt).UTC(),
		RefreshToken: s.RefreshToken,
		Scope:        s.Scope,
		Extra:        s.Extra,
	}
}

// retryLabel separates the key of a retry from every other use of the token.
const retryLabel = "grantwell refresh retry v1"

// retryCipher has a key that is derived from the presented token, so that the
// contents of the store alone cannot open what it seals. A token has 256 random bits,
// so one HMAC with a label is enough to derive a key from it (NIST SP 800-108).
func retryCipher(token string) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(retryLabel))
	var key [sha256.Size]byte
	block, err := aes.NewCipher(mac.Sum(key[:0]))
	if err != nil {
		return nil, fmt.Errorf("grants: retry key: %w", err)
	}

	return cipher.NewGCMWithRandomNonce(block)
}

// requestName names what a request asks for, apart from the token.
func requestName(r *Request) string {
	resources := r.Form["resource"]
	parts := make([]string, 0, 4+len(resources)+len(r.Form["audience"]))
	parts = append(parts, r.Client.ID, strings.Join(r.Scope, " "), "resource")
	parts = append(parts, resources...)
	parts = append(parts, "audience")
	parts = append(parts, r.Form["audience"]...)

	return storage.JoinKey(parts...)
}

// keyName names the key that a request proved to hold.
func keyName(r *Request) string {
	if len(r.Confirmation) == 0 {
		return ""
	}
	parts := make([]string, 0, 2*len(r.Confirmation))
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
	answer := sealed{
		Request:      requestName(r),
		Key:          keyName(r),
		AccessToken:  res.AccessToken,
		TokenType:    res.TokenType,
		ExpiresAt:    res.ExpiresAt.UnixNano(),
		RefreshToken: res.RefreshToken,
		Scope:        res.Scope,
		Extra:        res.Extra,
	}
	plain, err := answer.encode()
	if err != nil {
		return fmt.Errorf("grants: retry: %w", err)
	}

	d.Retry = aead.Seal(nil, nil, plain, []byte(rec.Key))
	d.RetryUntil = r.Now.Add(window).UnixMilli()
	rec.Data, err = d.Encode()

	return err
}

// errOtherRequest refuses a retry whose parameters are not those of the first request.
var errOtherRequest = errors.New("by a request with another scope or resource")

// retry answers a request whose refresh token was spent: with the same successor if
// it is an honest retry, and otherwise with the end of the family.
func (g RefreshToken) retry(ctx context.Context, r *Request, token string, rec storage.Record, d record.Data) (*Grant, error) {
	res, why, err := g.replay(ctx, r, token, rec, &d)
	switch {
	case errors.Is(err, errOtherRequest):
		return nil, InvalidGrant("refresh token was used before, %w", err).For(ReasonRefreshReused)
	case err != nil:
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
	case r.Client.Ended(rec.IssuedAt) || rec.IssuedAt.Before(r.NotBefore):
		return nil, "what the client had then has ended", nil
	}

	s, err := unseal(token, rec.Key, d.Retry)
	if err != nil {
		return nil, "", err
	}
	if s.Key != keyName(r) {
		return nil, "with another key", nil
	}
	fresh, err := unused(ctx, r, s.RefreshToken)
	switch {
	case err != nil:
		return nil, "", err
	case !fresh:
		return nil, "its successor was used or is gone", nil
	}
	if s.Request != requestName(r) {
		// It is refused for its parameters, and such a request ends nothing as long as
		// the successor was not used.
		return nil, "", errOtherRequest
	}

	ok, err := g.countRetry(ctx, r.Records, rec.Key, until)
	if err != nil || !ok {
		return nil, "too many retries", err
	}

	return s.response(), "", nil
}

// unused reports whether a successor, if there is one, may still be given again.
func unused(ctx context.Context, r *Request, successor string) (bool, error) {
	if successor == "" {
		return true, nil
	}
	rec, err := r.Records.Get(ctx, storage.Refresh, storage.Key(successor))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}

	return err == nil && rec.State == storage.Active && !rec.Expired(r.Now), err
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
