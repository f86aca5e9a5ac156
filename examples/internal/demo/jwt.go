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

// SignJWT makes an RS256 JWT by the standard library, from the client to this server alone: the audience is the server's
// issuer identifier and nothing else, it is good for a minute, and its identifier makes it good for one use. It has a
// subject only if one is named: without it the client speaks for itself.
func (f *File) SignJWT(typ, client, subject string) (string, error) {
	block, _ := pem.Decode([]byte(f.AssertionKey))
	if block == nil {
		return "", errors.New("demo: the file has no key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("demo: key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("demo: the key is not RSA")
	}
	now := time.Now()
	claims := map[string]any{"iss": client, "aud": f.Issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	if subject != "" {
		claims["sub"] = subject
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("demo: claims: %w", err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"`+typ+`"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("demo: signature: %w", err)
	}
	return signed + "." + enc.EncodeToString(sig), nil
}
