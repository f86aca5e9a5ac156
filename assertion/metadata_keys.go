package assertion

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// IssuerFromMetadata returns an issuer with the entityID and the signing keys of an
// identity provider's metadata. The caller sets everything else: clients, subject
// mapping, limits.
//
// The keys are those of every KeyDescriptor for signing, or without a use, of the
// IDPSSODescriptors for SAML 2.0. If there is no IDPSSODescriptor, as for a pure
// token service, they are those of the RoleDescriptors. Of each KeyDescriptor the
// first certificate is used, for its key alone, because SAML trusts keys: dates and
// chains of certificates are not checked. Keys that are too weak are left out.
//
// Metadata whose validUntil has passed is refused, and a role whose validUntil has
// passed is left out. Metadata without a usable key, or with more than eight, is
// refused. The error says for each role and key why it was left out; [DroppedKeys] says
// so for metadata that is accepted.
func IssuerFromMetadata(ed *saml.EntityDescriptor, now time.Time) (*Issuer, error) {
	if ed == nil || ed.EntityID == "" {
		return nil, errors.New("assertion: metadata: no entity")
	}
	if passed(&ed.ValidUntil, now) {
		return nil, fmt.Errorf("assertion: metadata: %s was valid until %s", shown(ed.EntityID), instant(ed.ValidUntil))
	}

	keys, dropped := providerKeys(ed, now)
	if len(keys) == 0 {
		return nil, fmt.Errorf("assertion: metadata: %s has no usable signing key: %s",
			shown(ed.EntityID), strings.Join(firstOf(dropped), "; "))
	}
	if err := xmldsig.CheckKeys(keys); err != nil {
		return nil, fmt.Errorf("assertion: metadata: %s has too many usable signing keys: %w", shown(ed.EntityID), err)
	}
	return &Issuer{ID: ed.EntityID, Keys: keys}, nil
}

// DroppedKeys returns, for each role and signing key of an identity provider that
// [IssuerFromMetadata] leaves out at that time, its position and the reason: a role
// that is not for SAML 2.0 or has ended, a key that is too short or of another type, a
// certificate that cannot be read. Keys for encryption are no signing keys. The list is
// empty if nothing is left out.
func DroppedKeys(ed *saml.EntityDescriptor, now time.Time) []string {
	if ed == nil {
		return nil
	}
	_, dropped := providerKeys(ed, now)
	return dropped
}

// firstOf returns the first reasons for an error text.
func firstOf(reasons []string) []string {
	const most = 4
	if len(reasons) <= most {
		return reasons
	}
	more := fmt.Sprintf("and %d more", len(reasons)-most)
	return append(slices.Clone(reasons[:most]), more)
}

// providerKeys returns the usable signing keys, each once, and why roles and other keys
// were left out. If there is no key there is a reason.
func providerKeys(ed *saml.EntityDescriptor, now time.Time) (keys []crypto.PublicKey, dropped []string) {
	roles, dropped := providerRoles(ed)
	seen := map[string]bool{}
	for _, role := range roles {
		if passed(role.ValidUntil, now) {
			dropped = append(dropped, fmt.Sprintf("%s was valid until %s", role.name, instant(*role.ValidUntil)))
			continue
		}
		found, left := role.signingKeys()
		dropped = append(dropped, left...)
		for _, key := range found {
			// A renewed certificate often stands beside the old one with the
			// same key.
			if print := xmldsig.Thumbprint(key); !seen[print] {
				seen[print] = true
				keys = append(keys, key)
			}
		}
	}
	return keys, dropped
}

// providerRole is a role whose keys sign assertions, with its name for texts.
type providerRole struct {
	saml.RoleDescriptor
	name string
}

// providerRoles returns the roles whose keys sign assertions, and why others were left
// out. If there is no role there is a reason.
func providerRoles(ed *saml.EntityDescriptor) (roles []providerRole, dropped []string) {
	if len(ed.IDPSSODescriptors) == 0 {
		for i, role := range ed.RoleDescriptors {
			roles = append(roles, providerRole{role, fmt.Sprintf("RoleDescriptor %d", i+1)})
		}
		if len(roles) == 0 {
			return nil, []string{"it has no IDPSSODescriptor, so it is no identity provider"}
		}
		return roles, nil
	}

	for i, idp := range ed.IDPSSODescriptors {
		name := fmt.Sprintf("IDPSSODescriptor %d", i+1)
		if !slices.Contains(strings.Fields(idp.ProtocolSupportEnumeration), samlProtocol) {
			dropped = append(dropped, fmt.Sprintf("%s is not for SAML 2.0: its protocolSupportEnumeration is %s, without %s",
				name, shown(idp.ProtocolSupportEnumeration), samlProtocol))
			continue
		}
		roles = append(roles, providerRole{idp.RoleDescriptor, name})
	}
	return roles, dropped
}

// passed reports whether a validUntil is in the past. One that is absent is not.
func passed(until *time.Time, now time.Time) bool {
	return until != nil && !until.IsZero() && !now.Before(*until)
}

// signingKeys returns the usable signing keys of a role, and why others were left out.
// If there is no key there is a reason.
func (r providerRole) signingKeys() (keys []crypto.PublicKey, dropped []string) {
	for i, kd := range r.KeyDescriptors {
		if kd.Use != "" && kd.Use != "signing" {
			continue
		}
		key, err := signingKey(kd)
		if err != nil {
			dropped = append(dropped, fmt.Sprintf("KeyDescriptor %d of %s: %v", i+1, r.name, err))
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 && len(dropped) == 0 {
		dropped = append(dropped, r.name+" has no KeyDescriptor for signing")
	}
	return keys, dropped
}

// signingKey returns the key of the first certificate of a KeyDescriptor.
func signingKey(kd saml.KeyDescriptor) (crypto.PublicKey, error) {
	certs := kd.KeyInfo.X509Data.X509Certificates
	if len(certs) == 0 {
		return nil, errors.New("it has no X509Certificate, and other forms of keys are not read")
	}
	der, err := base64.StdEncoding.DecodeString(xmldsig.WithoutSpace(certs[0].Data))
	if err != nil {
		return nil, errors.New("its X509Certificate is not base64")
	}
	key, err := certifiedKey(der)
	if err != nil {
		return nil, fmt.Errorf("its X509Certificate cannot be read: %w", err)
	}
	return key, xmldsig.CheckKey(key)
}

// certifiedKey returns the public key of a certificate. SAML trusts the key alone, so
// a fault elsewhere in the certificate, such as a negative serial number, which
// crypto/x509 refuses, does not matter.
func certifiedKey(der []byte) (crypto.PublicKey, error) {
	if cert, err := x509.ParseCertificate(der); err == nil {
		return cert.PublicKey, nil
	}

	// RFC 5280 section 4.1, up to the key.
	var cert struct {
		TBS struct {
			Version   int `asn1:"optional,explicit,default:0,tag:0"`
			Serial    asn1.RawValue
			Algorithm asn1.RawValue
			Issuer    asn1.RawValue
			Validity  asn1.RawValue
			Subject   asn1.RawValue
			PublicKey asn1.RawValue
			Others    []asn1.RawValue `asn1:"optional"`
		}
		Algorithm asn1.RawValue
		Signature asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return nil, err
	}
	return x509.ParsePKIXPublicKey(cert.TBS.PublicKey.FullBytes)
}
