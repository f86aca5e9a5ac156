package assertion

import (
	"errors"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
	"github.com/grantwell/grantwell/internal/base/xmlenc"
)

// decryptAssertion replaces an EncryptedAssertion by the document inside, which then
// goes through the same layers as one that was not encrypted. Encryption does not
// prove the sender, because everyone has the public key.
func (r *samlRun) decryptAssertion() *Error {
	if !xmldsig.Is(r.root, nsSAML, "EncryptedAssertion") {
		return nil
	}
	if len(r.config.Decrypters) == 0 {
		return r.fail(ReasonDecryption, "no decryption key is configured")
	}
	plain, err := xmlenc.Decrypt(r.root, r.config.Decrypters)
	if err != nil {
		return r.fail(ReasonDecryption, "EncryptedAssertion").because(err)
	}

	r.encrypted = true
	r.octets = plain
	r.root = nil
	for _, layer := range []func(*samlRun) *Error{(*samlRun).scan, (*samlRun).checkRoundTrip, (*samlRun).checkTree} {
		if refusal := layer(r); refusal != nil {
			return refusal
		}
	}
	// The layer for the structure refuses an EncryptedAssertion inside of one.
	return nil
}

// decryptInner decrypts an EncryptedID or EncryptedAttribute of the verified tree.
// The signature covers its ciphertext. Each failure after a key was used has the same
// error, so that a forged ciphertext teaches nothing.
func (r *samlRun) decryptInner(e *etree.Element) (*etree.Element, error) {
	if len(r.config.Decrypters) == 0 {
		return nil, contentError{ReasonDecryption, "no decryption key is configured"}
	}
	indistinct := contentError{ReasonDecryption, e.Tag + " cannot be decrypted"}
	plain, err := xmlenc.Decrypt(e, r.config.Decrypters)
	var unsupported xmlenc.UnsupportedError
	if errors.As(err, &unsupported) {
		// The document shows this to everyone, and no key was used.
		return nil, contentError{ReasonDecryption, e.Tag + ": " + unsupported.Error()}
	}
	if err != nil {
		return nil, indistinct
	}
	octets, root, err := xmldsig.ScanTree(plain, r.config.Limits.document())
	if err != nil || xmldsig.RoundTrip(octets) != nil {
		return nil, indistinct
	}
	return root, nil
}
