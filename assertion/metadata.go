package assertion

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

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
// Of the other entities only the entityID is read, so that a fault in one of them does
// not matter. Of the entity itself the parts that no assertion needs, such as endpoints
// and the role of a service provider, are left out of the result if they cannot be
// read. A validUntil or cacheDuration that applies and cannot be read is an error that
// names the entity and the element. What [IssuerFromMetadata] leaves out has its reasons
// in [DroppedKeys].
//
// Comments are dropped. Otherwise the same XML is refused as in assertions.
// Signatures are not verified: see [ParseSignedMetadata].
func ParseMetadata(r io.Reader, entityID string) (*saml.EntityDescriptor, error) {
	root, err := readMetadata(r)
	if err != nil {
		return nil, err
	}
	return findEntity(root, entityID)
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
	root, err := readMetadata(r)
	if err != nil {
		return nil, err
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
	verified, err := xmldsig.Parse(signed, metadataLimits)
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	return findEntity(verified, entityID)
}

// readMetadata reads a document and returns its root. It accepts the same part of XML
// as for an assertion, and comments.
func readMetadata(r io.Reader) (*etree.Element, error) {
	doc, err := io.ReadAll(io.LimitReader(r, int64(maxMetadata)+1))
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	if len(doc) > maxMetadata {
		return nil, fmt.Errorf("assertion: metadata: more than %d octets", maxMetadata)
	}
	doc, root, err := xmldsig.ScanTree(dropComments(doc), metadataLimits)
	if err == nil {
		err = xmldsig.RoundTrip(doc)
	}
	if err != nil {
		return nil, fmt.Errorf("assertion: metadata: %w", err)
	}
	return root, nil
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
