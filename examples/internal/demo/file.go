// Package demo is what the example programs share: the file in which the example server tells them where it is and who
// they are, one line of output for each member of a token response, and one call to the protected resource.
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

// The clients that the example server registers with fresh secrets at each start.
const (
	Confidential = "SampleConfidentialApp"
	Public       = "SamplePublicApp"
	Resource     = "SampleResourceServer"
	KeyApp       = "SampleKeyApp" // authenticates by private_key_jwt
)

// File is what the example server writes at its start. It holds secrets: only its owner may read it.
type File struct {
	Issuer     string            `json:"issuer"`
	Authorize  string            `json:"authorization_endpoint"`
	Token      string            `json:"token_endpoint"`
	Revoke     string            `json:"revocation_endpoint"`
	Introspect string            `json:"introspection_endpoint"`
	TokenInfo  string            `json:"tokeninfo_endpoint"`
	JWKS       string            `json:"jwks_uri"`
	Protected  string            `json:"protected_resource"`
	Secrets    map[string]string `json:"client_secrets"` // by client_id; a public client has ""
	Passwords  map[string]string `json:"passwords"`      // by username
	// AssertionKey signs the sample assertions, and AssertionCertificate is registered for it. Both are PEM and new at each start.
	AssertionKey         string `json:"assertion_key"`
	AssertionCertificate string `json:"assertion_certificate"`

	CA string `json:"ca,omitempty"` // PEM; the certificate to trust when the server has one of its own
}

// Path is where the file is unless -demo says otherwise: in the user's cache directory.
func Path() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("demo: no cache directory for this user: %w", err)
	}
	return filepath.Join(dir, "grantwell", "demo.json"), nil
}

// Write stores the file so that only its owner can read it, and so that nobody ever reads half of it.
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

// Read loads what Write stored.
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
