package clientmeta

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/grantwell/grantwell/internal/base/secrethash"
	"github.com/grantwell/grantwell/storage"
)

// NewSecret returns a new client secret of 256 random bits, and what to store
// of it. The plain secret is shown once and kept nowhere.
func NewSecret() (plain string, stored storage.Secret) {
	var b [32]byte
	// A secret that begins with a hyphen is an option to most command lines.
	for plain == "" || plain[0] == '-' {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		plain = base64.RawURLEncoding.EncodeToString(b[:])
	}
	return plain, storage.HashSecret(plain)
}

// looksRandom reports whether a secret has the form of [NewSecret], and as many different
// characters as random ones always have. People do not choose such secrets.
func looksRandom(plain string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(plain)
	different := make(map[rune]bool)
	for _, c := range plain {
		different[c] = true
	}

	return err == nil && len(raw) >= 32 && len(different) >= 16
}

// UsesSecret reports whether a client with this method sends its secret, so
// that the server stores a hash of it.
func UsesSecret(method string) bool {
	return method == storage.AuthClientSecretBasic || method == storage.AuthClientSecretPost
}

// FillCredentials gives the client the secret or shared key that its method
// needs, unless it has one. It returns the plain text of what it made, or the
// empty string.
func FillCredentials(c *storage.Client) (plain string) {
	switch method := c.Method(); {
	case UsesSecret(method) && len(c.Secrets) == 0:
		var stored storage.Secret
		plain, stored = NewSecret()
		c.Secrets = []storage.Secret{stored}

	case method == storage.AuthClientSecretJWT && len(c.SharedKey) == 0:
		plain, _ = NewSecret()
		c.SharedKey = []byte(plain)
	}
	return plain
}

// Check returns every reason why a client from outside must not be stored, on
// one line, or nil. It is stricter than [storage.Client.Validate]: a hash that
// no secret could be verified against, or only at a high cost, is refused.
func Check(c *storage.Client) error {
	if err := errors.Join(c.Validate(), checkHashes(c)); err != nil {
		return trimmed(err)
	}
	return nil
}

func checkHashes(c *storage.Client) error {
	for _, s := range c.Secrets {
		// A SHA-256 digest is cheap, and Validate has read it.
		if strings.HasPrefix(s.Hash, "sha256:") {
			continue
		}
		if secrethash.Check(s.Hash) != nil {
			return errors.New("storage: client secrets: a hash is malformed, or too expensive to verify")
		}
	}
	return nil
}
