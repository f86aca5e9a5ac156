package demo

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// SignJWT makes an assertion as a JWT signed with RS256, by the standard library alone.
// The issuer is the client, and the audience is the issuer identifier of this server
// and nothing else. It is good for a minute and, by its jti, for one use. Without a
// subject the client speaks for itself.
func (f *File) SignJWT(typ, client, subject string) (string, error) {
	key, err := f.key()
	if err != nil {
		return "", err
	}

	now := time.Now()
	claims := map[string]any{
		"iss": client,
		"aud": f.Issuer,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
	}
	if subject != "" {
		claims["sub"] = subject
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("demo: claims: %w", err)
	}

	enc := base64.RawURLEncoding
	header := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"` + typ + `"}`))
	signed := header + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("demo: signature: %w", err)
	}

	return signed + "." + enc.EncodeToString(sig), nil
}

// key returns the key that signs the sample assertions.
func (f *File) key() (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(f.AssertionKey))
	if block == nil {
		return nil, errors.New("demo: the file has no key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("demo: key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("demo: the key is not RSA")
	}

	return key, nil
}
