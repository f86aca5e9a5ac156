package assertion

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/grantwell/grantwell/internal/base/keycost"
	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

const (
	nsMetadata   = "urn:oasis:names:tc:SAML:2.0:metadata"
	samlProtocol = "urn:oasis:names:tc:SAML:2.0:protocol"
)

// metadataLimits are wider than those of an assertion, because the host has chosen
// where the metadata comes from.
var metadataLimits = xmldsig.Limits{
	Depth:      32,
	Elements:   100_000,
	Attributes: 64,
	Namespaces: 256,
	Canonical:  4 * maxMetadata,
}

const maxMetadata = 4 << 20 // octets

// ParseMetadata reads SAML 2.0 metadata of at most 4 MiB. It returns the one
// EntityDescriptor with this entityID, which is the document itself or stands inside
// EntitiesDescriptors. Its ValidUntil and CacheDuration are the smallest of its own
// and those of the descriptors around it. [IssuerFromMetadata] decides whether it is
// still valid.
//
// Comments are dropped. Otherwise the same XML is refused as in assertions.
// Signatures are not verified: see [ParseSignedMetadata].
func ParseMetadata(r io.Reader, entityID string) (*saml.EntityDescriptor, error) {
	doc, err := readMetadata(r)
	if err != nil {
		return nil, err
	}
	return findEntity(doc, entityID)
}

// ParseSignedMetadata is [ParseMetadata] for metadata whose root element one of the
// pinned keys has signed (SAML metadata section 3). Its result is read from the
// signed octets. Keys in the document are not trusted, and signatures inside of the
// root are not read.
func ParseSignedMetadata(r io.Reader, entityID string, pinned ...crypto.PublicKey) (*saml.EntityDescriptor, error) {
	keys := xmldsig.UsableKeys(pinned)
	if len(keys) == 0 {
		return nil, errors.New("assertion: metadata: no usable key to check the signature with")
	}
	doc, err := readMetadata(r)
	if err != nil {
		return nil, err
	}
	root, err := xmldsig.Parse(doc, metadataLimits)
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}

	id, _ := xmldsig.Attribute(root, "ID")
	var signatures []*etree.Element
	for _, child := range root.ChildElements() {
		if xmldsig.Is(child, xmldsig.Namespace, "Signature") {
			signatures = append(signatures, child)
		}
	}
	if id == "" || len(signatures) != 1 {
		return nil, errors.New("assertion: metadata: the root element has no ID, or not one signature")
	}

	signature, err := xmldsig.ReadSignature(signatures[0])
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	signed, _, err := signature.Verify(root, id, keys, metadataLimits)
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	return findEntity(signed, entityID)
}

// readMetadata reads a document. It accepts the same part of XML as for an assertion,
// and comments.
func readMetadata(r io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(r, int64(maxMetadata)+1))
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	if len(doc) > maxMetadata {
		return nil, fmt.Errorf("assertion: metadata: more than %d octets", maxMetadata)
	}
	doc, err = xmldsig.Scan(dropComments(doc), metadataLimits)
	if err == nil {
		err = xmldsig.RoundTrip(doc)
	}
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	return doc, nil
}

// dropComments removes comments, which identity providers write into the files that
// administrators download. No parser is needed: "<!--" always begins a comment, but
// in CDATA sections, document types and processing instructions, which the scan
// refuses later. Canonical XML has no comments, so signatures are not affected.
func dropComments(doc []byte) []byte {
	if !bytes.Contains(doc, []byte("<!--")) {
		return doc
	}
	kept := make([]byte, 0, len(doc))
	for {
		before, comment, found := bytes.Cut(doc, []byte("<!--"))
		kept = append(kept, before...)
		if !found {
			return kept
		}
		_, after, closed := bytes.Cut(comment, []byte("-->"))
		if !closed {
			// The scan refuses the rest.
			return append(kept, "<!--"...)
		}
		doc = after
	}
}

// findEntity returns the entity with this ID. Two of them are an error, because two
// readers could choose differently.
func findEntity(doc []byte, entityID string) (*saml.EntityDescriptor, error) {
	if entityID == "" {
		return nil, errors.New("assertion: metadata: no entityID to look for")
	}
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(doc, &root); err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	var all saml.EntitiesDescriptor
	var err error
	switch root.XMLName {
	case xml.Name{Space: nsMetadata, Local: "EntityDescriptor"}:
		all.EntityDescriptors = make([]saml.EntityDescriptor, 1)
		err = xml.Unmarshal(doc, &all.EntityDescriptors[0])
	case xml.Name{Space: nsMetadata, Local: "EntitiesDescriptor"}:
		err = xml.Unmarshal(doc, &all)
	default:
		err = fmt.Errorf("the root element is %s", shown(root.XMLName.Local))
	}
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	switch found := entities(all, entityID); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("assertion: metadata: no entity %s", shown(entityID))
	default:
		return nil, fmt.Errorf("assertion: metadata: entity %s is there %d times", shown(entityID), len(found))
	}
}

// entities returns the matching entities. The limits of the descriptors around them
// apply to them too.
func entities(in saml.EntitiesDescriptor, entityID string) []*saml.EntityDescriptor {
	var found []*saml.EntityDescriptor
	for i := range in.EntityDescriptors {
		if in.EntityDescriptors[i].EntityID == entityID {
			found = append(found, &in.EntityDescriptors[i])
		}
	}
	for _, inner := range in.EntitiesDescriptors {
		found = append(found, entities(inner, entityID)...)
	}
	for _, e := range found {
		if u := in.ValidUntil; u != nil && (e.ValidUntil.IsZero() || u.Before(e.ValidUntil)) {
			e.ValidUntil = *u
		}
		if d := in.CacheDuration; d != nil && *d > 0 && (e.CacheDuration <= 0 || *d < e.CacheDuration) {
			e.CacheDuration = *d
		}
	}
	return found
}

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
// refused.
func IssuerFromMetadata(ed *saml.EntityDescriptor, now time.Time) (*Issuer, error) {
	if ed == nil || ed.EntityID == "" {
		return nil, errors.New("assertion: metadata: no entity")
	}
	if passed(&ed.ValidUntil, now) {
		return nil, fmt.Errorf("assertion: metadata: %s was valid until %s", shown(ed.EntityID), instant(ed.ValidUntil))
	}

	issuer := &Issuer{ID: ed.EntityID}
	seen := map[string]bool{}
	for _, role := range providerRoles(ed) {
		if passed(role.ValidUntil, now) {
			continue
		}
		for _, key := range signingKeys(role) {
			// A renewed certificate often stands beside the old one with the
			// same key.
			if print := xmldsig.Thumbprint(key); !seen[print] {
				seen[print] = true
				issuer.Keys = append(issuer.Keys, key)
			}
		}
	}
	if n := len(issuer.Keys); n == 0 || n > keycost.MaxKeys {
		return nil, fmt.Errorf("assertion: metadata: %s has %d usable signing keys, expected 1 to %d",
			shown(ed.EntityID), n, keycost.MaxKeys)
	}
	return issuer, nil
}

// providerRoles returns the roles whose keys sign assertions.
func providerRoles(ed *saml.EntityDescriptor) []saml.RoleDescriptor {
	if len(ed.IDPSSODescriptors) == 0 {
		return ed.RoleDescriptors
	}
	var roles []saml.RoleDescriptor
	for _, idp := range ed.IDPSSODescriptors {
		if slices.Contains(strings.Fields(idp.ProtocolSupportEnumeration), samlProtocol) {
			roles = append(roles, idp.RoleDescriptor)
		}
	}
	return roles
}

// passed reports whether a validUntil is in the past. One that is absent is not.
func passed(until *time.Time, now time.Time) bool {
	return until != nil && !until.IsZero() && !now.Before(*until)
}

// signingKeys returns the usable signing keys of a role.
func signingKeys(role saml.RoleDescriptor) []crypto.PublicKey {
	var keys []crypto.PublicKey
	for _, kd := range role.KeyDescriptors {
		certs := kd.KeyInfo.X509Data.X509Certificates
		if kd.Use != "" && kd.Use != "signing" || len(certs) == 0 {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(certs[0].Data), ""))
		if err != nil {
			continue
		}
		key, err := certifiedKey(der)
		if err == nil && xmldsig.CheckKey(key) == nil {
			keys = append(keys, key)
		}
	}
	return keys
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
		return nil, fmt.Errorf("assertion: metadata: certificate: %w", err)
	}
	return x509.ParsePKIXPublicKey(cert.TBS.PublicKey.FullBytes)
}
