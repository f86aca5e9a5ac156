package clientmeta

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Document is the JSON object of one client: its members by their names.
type Document map[string]json.RawMessage

// secretView is a client secret as an administrator sees it.
type secretView struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// View returns the client as an administrator sees it: the client's own JSON
// with two members replaced. In secrets, an ID stands for each hash, and
// shared_key is true in place of the key.
func View(c *storage.Client) (Document, error) {
	doc, err := documentOf(c)
	if err != nil {
		return nil, err
	}

	delete(doc, "secrets")
	if len(c.Secrets) > 0 {
		views := make([]secretView, len(c.Secrets))
		for i, s := range c.Secrets {
			views[i] = secretView{
				ID:        SecretID(s),
				ExpiresAt: s.ExpiresAt,
			}
		}
		if doc["secrets"], err = json.Marshal(views); err != nil {
			return nil, fmt.Errorf("clientmeta: secrets: %w", err)
		}
	}
	if _, ok := doc["shared_key"]; ok {
		doc["shared_key"] = json.RawMessage("true")
	}
	return doc, nil
}

// documentOf returns the client's own JSON, hashes and keys included.
func documentOf(c *storage.Client) (Document, error) {
	text, err := c.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("clientmeta: %w", err)
	}
	var doc Document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("clientmeta: %w", err)
	}
	return doc, nil
}

// SecretID returns a name for a secret that does not reveal its hash.
func SecretID(s storage.Secret) string {
	sum := sha256.Sum256([]byte(s.Hash))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Redact returns a copy of the client without anything that a secret could be
// guessed from: an ID stands for the hash of each secret, and SharedKey is nil.
func Redact(c *storage.Client) *storage.Client {
	clone := c.Clone()
	clone.SharedKey = nil
	for i := range clone.Secrets {
		clone.Secrets[i].Hash = SecretID(clone.Secrets[i])
	}
	return &clone
}

// ETag returns an entity tag for the state of the client (RFC 9110
// section 8.8.3). It differs when any member differs.
func ETag(c *storage.Client) (string, error) {
	text, err := c.MarshalJSON()
	if err != nil {
		return "", fmt.Errorf("clientmeta: %w", err)
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}
