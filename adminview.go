package grantwell

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// clientView is a client as it is shown. The outer fields stand in place of those of the same name inside.
type clientView struct {
	storage.Client
	Secrets   []secretView `json:"secrets,omitempty"`
	SharedKey bool         `json:"shared_key,omitempty"`
	// Plain is a secret that was made for this answer.
	Plain string `json:"client_secret,omitempty"`
}

type secretView struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func viewOf(c storage.Client) clientView {
	v := clientView{Client: *redacted(c), SharedKey: len(c.SharedKey) > 0}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretView{secretID(s), s.ExpiresAt})
	}
	return v
}

// secretID names a secret without telling its hash.
func secretID(s storage.Secret) string {
	sum := sha256.Sum256([]byte(s.Hash))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// redacted is the client without anything that a secret could be guessed from: the ID of each secret stands for its hash.
func redacted(c storage.Client) *storage.Client {
	c = c.Clone()
	c.SharedKey = nil
	for i := range c.Secrets {
		c.Secrets[i].Hash = secretID(c.Secrets[i])
	}
	return &c
}

// etag names the state of a client (RFC 9110 section 8.8.3).
func etag(c storage.Client) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}

// show answers with a client as it is stored.
func (c *act) show(status int, client storage.Client, plain string) error {
	tag, err := etag(client)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", tag)
	v := viewOf(client)
	v.Plain = plain
	return c.write(status, v)
}
