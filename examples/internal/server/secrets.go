package server

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/tokens"
)

// maxSecrets bounds the file of secrets in bytes.
const maxSecrets = 1 << 20

// secrets are the values that all instances must have in common. A service mounts them
// as a file or asks a vault for them. Only the signing keys are needed by the library;
// the rest belongs to the demo. Cookies and forms need no key: they are looked up in
// the store, or tied to the random cookie of the browser.
type secrets struct {
	SigningKeys []string          `json:"signing_keys"`   // PEM; the first signs, all are published
	Clients     map[string]string `json:"client_secrets"` // by client_id
	Passwords   map[string]string `json:"passwords"`      // by username

	// AssertionKey is the key that the sample programs sign with. The certificate is
	// registered for it. Both are PEM.
	AssertionKey         string `json:"assertion_key"`
	AssertionCertificate string `json:"assertion_certificate"`
}

// loadSecrets reads the file of secrets. If the file does not exist it is made, by one
// of the instances that start at the same moment. With a store in memory and without a
// file the secrets are new and end with the process.
func loadSecrets(o options) (*secrets, error) {
	path := o.secrets
	if path == "" && o.store == "memory" {
		return newSecrets()
	}
	if path == "" {
		beside, err := demo.Path()
		if err != nil {
			return nil, errors.Join(err, errors.New("name a file by -secrets"))
		}
		path = filepath.Join(filepath.Dir(beside), "secrets.json")
	}

	s, err := readSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if s, err = newSecrets(); err != nil {
		return nil, err
	}
	if err := s.write(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}

	return readSecrets(path) // another instance may have been first
}

func readSecrets(path string) (*secrets, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecrets+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecrets {
		return nil, fmt.Errorf("%s: the file is too large", path)
	}

	var s secrets
	if json.Unmarshal(b, &s) != nil || !s.complete() {
		// The error has nothing of the content, which may be secret.
		return nil, fmt.Errorf("%s: is no file of secrets; remove it, and a new one is made", path)
	}

	return &s, nil
}

// complete reports whether the secrets of the demo are all there.
func (s *secrets) complete() bool {
	return len(s.SigningKeys) > 0 &&
		s.Passwords[demoUser] != "" &&
		s.Clients[demo.Confidential] != "" &&
		s.Clients[demo.Resource] != ""
}

// write makes the file, which only its owner can read. It is written as a whole and
// never replaces a file.
func (s *secrets) write(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secrets-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), path) // fails if the file exists, unlike a rename
	}

	return errors.Join(err, os.Remove(tmp.Name()))
}

// newSecrets makes all secrets. ES256 signs. RS256 is published beside it, as the key
// of an earlier time would be.
func newSecrets() (*secrets, error) {
	// Each has 128 bits or more, so that a plain SHA-256 of it is safe to store.
	s := &secrets{
		Clients: map[string]string{
			demo.Confidential: rand.Text(),
			demo.Resource:     rand.Text(),
		},
		Passwords: map[string]string{demoUser: rand.Text()},
	}
	for _, algorithm := range []string{tokens.ES256, tokens.RS256} {
		k, err := tokens.GenerateKey(algorithm)
		if err != nil {
			return nil, err
		}
		text, err := encodeKey(k.Signer)
		if err != nil {
			return nil, err
		}
		s.SigningKeys = append(s.SigningKeys, text)
	}

	return s, s.makeAssertionKey()
}

// makeAssertionKey makes the key of the sample clients and its certificate.
func (s *secrets) makeAssertionKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if s.AssertionKey, err = encodeKey(key); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sample client"},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	s.AssertionCertificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))

	return nil
}

// encodeKey returns a private key as PEM (PKCS #8).
func encodeKey(key any) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	return string(bytes.TrimSpace(text)) + "\n", nil
}

// keys returns the signing keys, ready for use.
func (s *secrets) keys() (tokens.Keys, error) {
	list := make([]tokens.Key, len(s.SigningKeys))
	for i, text := range s.SigningKeys {
		var err error
		if list[i], err = tokens.ParseKey([]byte(text), ""); err != nil {
			return nil, err
		}
	}

	return tokens.StaticKeys(list[0], list[1:]...)
}
