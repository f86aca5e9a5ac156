package grantwell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// maxClients and maxClientsFile bound a file of clients.
const (
	maxClients     = 10_000
	maxClientsFile = 16 << 20
)

// registrationJSON is a client in the names of RFC 7591 section 2, with client_id and a plain client_secret.
type registrationJSON struct {
	ID            string            `json:"client_id"`
	Secret        string            `json:"client_secret"`
	SecretHash    string            `json:"client_secret_hash"`
	AliasOf       string            `json:"alias_of"`
	AuthMethod    string            `json:"token_endpoint_auth_method"`
	RedirectURIs  []string          `json:"redirect_uris"`
	GrantTypes    *[]string         `json:"grant_types"`
	ResponseTypes []string          `json:"response_types"`
	Scope         string            `json:"scope"`
	DefaultScope  *string           `json:"default_scope"`
	Audience      []string          `json:"audience"`
	Resources     []string          `json:"resources"`
	Origins       []string          `json:"origins"`
	JWKS          json.RawMessage   `json:"jwks"`
	JWKSURI       string            `json:"jwks_uri"`
	Name          string            `json:"client_name"`
	Description   string            `json:"description"`
	URI           string            `json:"client_uri"`
	LogoURI       string            `json:"logo_uri"`
	PolicyURI     string            `json:"policy_uri"`
	TOSURI        string            `json:"tos_uri"`
	Contacts      []string          `json:"contacts"`
	Disabled      bool              `json:"disabled"`
	RequirePKCE   bool              `json:"require_pkce"`
	SkipConsent   bool              `json:"skip_consent"`
	Format        string            `json:"access_token_format"`
	Metadata      map[string]string `json:"metadata"`
}

// ReadClients reads a JSON array of clients in the names of RFC 7591 section 2, each with its client_id and, for a method
// that needs one, a plain client_secret, which is hashed here and kept nowhere. Members that are not known are ignored; one that occurs twice refuses the file.
// Beyond the RFC: client_secret_hash in place of client_secret (see [storage.ImportSecret]), default_scope (absent: none; see DefaultScope of [storage.Client]), audience, resources, origins, disabled,
// require_pkce, skip_consent, access_token_format and alias_of. A client whose grant_types is an empty array is a resource server: it
// uses no grant and only introspects. Secrets must have 16 characters or more. The error names the client and the field.
func ReadClients(r io.Reader) ([]storage.Client, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxClientsFile+1))
	if err != nil {
		return nil, fmt.Errorf("grantwell: clients: %w", err)
	}
	if len(b) > maxClientsFile {
		return nil, errors.New("grantwell: clients: the file is too large")
	}
	var in []registrationJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("grantwell: clients: %w", err)
	}
	if err := namesOnce(json.NewDecoder(bytes.NewReader(b))); err != nil {
		return nil, fmt.Errorf("grantwell: clients: %w", err)
	}
	if len(in) > maxClients {
		return nil, errors.New("grantwell: clients: there are too many")
	}
	out := make([]storage.Client, 0, len(in))
	for _, reg := range in {
		c, err := reg.client()
		if err != nil {
			return nil, fmt.Errorf("grantwell: clients: %q: %w", reg.ID, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// UnmarshalJSON reads names byte for byte. encoding/json alone would take REDIRECT_URIS for redirect_uris, where another
// reader of the same file sees a member that it does not know.
func (reg *registrationJSON) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != ""
	})
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	type plain registrationJSON
	return json.Unmarshal(b, (*plain)(reg))
}

// namesOnce refuses a name that occurs twice in one object: readers differ about which of the two counts.
func namesOnce(dec *json.Decoder) error {
	token, err := dec.Token()
	open, ok := token.(json.Delim)
	if err != nil || !ok {
		return err
	}
	seen := make(map[string]bool)
	for dec.More() {
		if open == '{' {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			if seen[name] {
				return fmt.Errorf("%q occurs twice in an object", name)
			}
			seen[name] = true
		}
		if err := namesOnce(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func (reg registrationJSON) client() (storage.Client, error) {
	c := storage.Client{ID: reg.ID, AliasOf: reg.AliasOf, Disabled: reg.Disabled, AuthMethod: reg.AuthMethod, JWKS: reg.JWKS, JWKSURI: reg.JWKSURI,
		ResponseTypes: reg.ResponseTypes, RedirectURIs: reg.RedirectURIs, Scope: strings.Fields(reg.Scope),
		Audience: reg.Audience, Resources: reg.Resources, Origins: reg.Origins, AccessTokenFormat: reg.Format, RequirePKCE: reg.RequirePKCE,
		SkipConsent: reg.SkipConsent, Name: reg.Name, Description: reg.Description, LogoURI: reg.LogoURI, ClientURI: reg.URI, PolicyURI: reg.PolicyURI,
		TOSURI: reg.TOSURI, Contacts: reg.Contacts, Metadata: reg.Metadata, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if reg.GrantTypes != nil {
		c.GrantTypes = *reg.GrantTypes
	}
	if reg.DefaultScope != nil {
		c.DefaultScope = strings.Fields(*reg.DefaultScope)
	}
	switch c.Method() {
	case storage.AuthClientSecretBasic, storage.AuthClientSecretPost:
		s, err := reg.secret()
		if err != nil {
			return c, err
		}
		c.Secrets = []storage.Secret{s}
	case storage.AuthNone:
		if reg.Secret != "" || reg.SecretHash != "" {
			return c, errors.New("client_secret: a public client has none")
		}
	}
	return c, c.Validate()
}

func (reg registrationJSON) secret() (storage.Secret, error) {
	switch {
	case reg.SecretHash != "" && reg.Secret != "":
		return storage.Secret{}, errors.New("client_secret_hash: is exclusive with client_secret")
	case reg.SecretHash != "":
		s, err := storage.ImportSecret(reg.SecretHash)
		if err != nil {
			return s, fmt.Errorf("client_secret_hash: %w", err)
		}
		return s, nil
	case len(reg.Secret) < 16:
		return storage.Secret{}, errors.New("client_secret has fewer than 16 characters")
	}
	return storage.HashSecret(reg.Secret), nil
}
