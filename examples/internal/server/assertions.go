package server

import (
	"strings"

	"context"
	"errors"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// withAssertions adds the two grants that begin with a signed assertion, and clients
// that authenticate by one. Each registered client is trusted to sign for itself, with
// the keys of its registration.
func (a *app) withAssertions(cfg *grantwell.Config, o options) error {
	path := cfg.Paths.Token
	if path == "" {
		path = grantwell.DefaultPaths().Token
	}
	endpoint := strings.TrimSuffix(cfg.Issuer, "/") + path
	replay := grants.Replay{Records: cfg.Records}
	remote := &assertion.RemoteKeys{} // fetches by https from public addresses only
	issuers := grants.ClientIssuers{
		Clients:     cfg.Clients,
		Remote:      remote,
		Subject:     a.speaksFor,
		MaxLifetime: o.assertionLifetime,
	}

	jwt, err := assertion.NewJWT(assertion.JWTConfig{
		Issuer:        cfg.Issuer,
		TokenEndpoint: endpoint,
		Issuers:       issuers,
		Clients:       grants.RegisteredKeys{Clients: cfg.Clients, Remote: remote},
		// Libraries that follow RFC 7523 to the letter name the token endpoint. The
		// library's documentation says what that risks.
		LegacyAudience: o.legacyAudience,
		Replay:         replay,
	})
	if err != nil {
		return err
	}
	saml, err := assertion.NewSAML(assertion.SAMLConfig{
		Issuers:    issuers,
		Audiences:  []string{cfg.Issuer, endpoint},
		Recipients: []string{endpoint},
		Replay:     replay,
	})
	if err != nil {
		return err
	}

	cfg.Grants = append(cfg.Grants,
		grants.JWTBearer{Verifier: jwt},
		grants.SAMLBearer{Verifier: saml},
	)
	cfg.ClientAuth = []grantwell.ClientAuthenticator{grantwell.AssertionAuth{Verifier: jwt}}

	return nil
}

// speaksFor is this host's rule for the subject of an assertion: a client may speak
// for itself and, by a SAML assertion, for a user of this host.
func (a *app) speaksFor(_ context.Context, c storage.Client, v *assertion.Assertion) (string, error) {
	name := v.Subject.Value
	if name == "" || name == c.ID {
		return c.ID, nil
	}
	if u, ok := a.users.byName[name]; ok && v.Format == assertion.FormatSAML2 {
		return u.Subject, nil
	}

	return "", errors.New("the client may not speak for this user")
}
