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

// secrets are what every instance has to have the same, and what a service mounts as a file or asks a vault for: the keys that
// sign tokens. The rest is the demo's. No cookie and no form needs a key: they are looked up in the store, or tied to the
// browser's own random cookie.
type secrets struct {
	SigningKeys []string          `json:"signing_keys"`   // PEM; the first signs, the others are published beside it
	Clients     map[string]string `json:"client_secrets"` // by client_id
	Passwords   map[string]string `json:"passwords"`      // by username
	// The key that the sample programs sign with, and the certificate that is registered for it: PEM.
	AssertionKey         string `json:"assertion_key"`
	AssertionCertificate string `json:"assertion_certificate"`
}

// loadSecrets reads the file of secrets, which it makes if it is not there: of instances that start together, one makes it.
// With a store in memory and no file named they are fresh, and gone with the process.
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
	var s secrets
	if len(b) > maxSecrets {
		return nil, fmt.Errorf("%s: the file is too large", path)
	}
	if json.Unmarshal(b, &s) != nil || len(s.SigningKeys) == 0 || s.Passwords[demoUser] == "" || s.Clients[demo.Confidential] == "" || s.Clients[demo.Resource] == "" {
		return nil, fmt.Errorf("%s: is no file of secrets; remove it, and a new one is made", path) // and not what is in it
	}
	return &s, nil
}

// write stores the file for its owner alone, whole, and never over one that is there.
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
		err = os.Link(tmp.Name(), path)
	}
	return errors.Join(err, os.Remove(tmp.Name()))
}

// newSecrets makes all of them. ES256 signs; RS256 is published beside it, as the key of an earlier time would be.
func newSecrets() (*secrets, error) {
	// 128 bits or more, so that a plain SHA-256 of a secret is safe to store.
	s := &secrets{Clients: map[string]string{demo.Confidential: rand.Text(), demo.Resource: rand.Text()}, Passwords: map[string]string{demoUser: rand.Text()}}
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
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if s.AssertionKey, err = encodeKey(k); err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sample client"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		return nil, err
	}
	s.AssertionCertificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return s, nil
}

func encodeKey(key any) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))) + "\n", nil
}

// keys are the signing keys, ready for use.
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
