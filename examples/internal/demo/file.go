// Package demo has what the example programs have in common: the file in which the
// example server describes itself and its clients, the output of a token response, and
// a call to the protected resource.
package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxFile bounds a demo file in bytes.
const maxFile = 1 << 20

// The clients that the example server registers, with new secrets at each start.
const (
	Confidential = "SampleConfidentialApp"
	Public       = "SamplePublicApp"
	Resource     = "SampleResourceServer"
	KeyApp       = "SampleKeyApp" // authenticates by private_key_jwt
)

// File is the demo file, which the example server writes when it starts. It holds
// secrets, so only its owner may read it.
type File struct {
	Issuer     string `json:"issuer"`
	Authorize  string `json:"authorization_endpoint"`
	Token      string `json:"token_endpoint"`
	Revoke     string `json:"revocation_endpoint"`
	Introspect string `json:"introspection_endpoint"`
	TokenInfo  string `json:"tokeninfo_endpoint"`
	PAR        string `json:"pushed_authorization_request_endpoint"`
	JWKS       string `json:"jwks_uri"`
	Protected  string `json:"protected_resource"`

	// Secrets are the secrets of the clients by client_id. A public client has "".
	Secrets map[string]string `json:"client_secrets"`
	// Passwords are the passwords of the users by username.
	Passwords map[string]string `json:"passwords"`

	// AssertionKey signs the sample assertions. AssertionCertificate is registered for
	// it. Both are PEM and new at each start.
	AssertionKey         string `json:"assertion_key"`
	AssertionCertificate string `json:"assertion_certificate"`

	// CA is the certificate of the server as PEM, which the programs trust; empty if
	// the server speaks plain http.
	CA string `json:"ca,omitempty"`
}

// Path returns where the file is unless -demo names another place: in the user's cache
// directory.
func Path() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("demo: no cache directory for this user: %w", err)
	}

	return filepath.Join(dir, "grantwell", "demo.json"), nil
}

// Write stores the file so that only its owner can read it. It replaces an older file
// in one step, so that no program reads half of it.
func (f File) Write(path string) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".demo-*") // mode 0600
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("demo: %w", err), os.Remove(tmp.Name()))
	}

	return nil
}

// Read reads a file that [File.Write] stored.
func Read(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("demo: %w; start the server first: go run ./examples/server", err)
	}
	if info.Size() > maxFile {
		return nil, errors.New("demo: the file is too large")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	var f File
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("demo: %s: %w", path, err)
	}

	return &f, nil
}
