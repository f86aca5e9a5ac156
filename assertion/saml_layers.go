package assertion

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

const nsSAML = "urn:oasis:names:tc:SAML:2.0:assertion"

// maxIDLength bounds the IDs in the replay store, in octets.
const maxIDLength = 256

// samlLayer is one step of the verification. Each layer stops attacks that no other
// layer stops, or is a second line behind one that does. None may be removed because
// the signature is checked anyway.
type samlLayer struct {
	name string
	run  func(*samlRun) *Error
}

// samlLayers returns the layers in the order in which they must run. A layer reads
// only what the earlier ones have bounded. The replay store is last, so that a bad
// assertion cannot use up the ID of a good one.
func samlLayers() []samlLayer {
	return []samlLayer{
		{layerParameter, (*samlRun).decodeParameter},
		{layerLexical, (*samlRun).scan},
		{layerRoundTrip, (*samlRun).checkRoundTrip},
		{layerTree, (*samlRun).checkTree},
		{layerDecryption, (*samlRun).decryptAssertion},
		{layerStructure, (*samlRun).checkStructure},
		{layerAlgorithms, (*samlRun).checkAlgorithms},
		{layerSignature, (*samlRun).checkSignature},
		{layerContent, (*samlRun).checkContent},
		{layerReplay, (*samlRun).checkReplay},
	}
}

// The names of the layers, as reports show them.
const (
	layerParameter  = "parameter"
	layerLexical    = "lexical"
	layerRoundTrip  = "round trip"
	layerTree       = "tree"
	layerDecryption = "decryption"
	layerStructure  = "structure"
	layerAlgorithms = "algorithms"
	layerSignature  = "signature"
	layerContent    = "content"
	layerReplay     = "replay"
)

// samlRun is the verification of one assertion.
type samlRun struct {
	ctx    context.Context
	config *SAMLConfig
	req    Request
	now    time.Time

	// The document before it is verified.
	octets    []byte
	root      *etree.Element
	encrypted bool // it was inside of an EncryptedAssertion
	signature *xmldsig.Signature

	// What the document claims, not verified.
	claimedIssuer string
	claimedID     string

	// The outcome of the signature. verified is parsed from the octets that the
	// signature covers.
	issuer   *Issuer
	keyID    string
	verified *etree.Element

	content  *samlContent
	accepted *Assertion
	// until is the time after which no confirmation accepts the assertion.
	until time.Time
}

func (s *SAMLVerifier) newRun(ctx context.Context, r Request) *samlRun {
	return &samlRun{
		ctx:    ctx,
		config: &s.config,
		req:    r,
		now:    s.config.Now(),
	}
}

// fail returns a refusal for the use of this run.
func (r *samlRun) fail(reason Reason, format string, args ...any) *Error {
	return newError(r.req.Use, reason, format, args...)
}

// decodeParameter bounds the parameter and decodes it (RFC 7522 sections 2.1 and 2.2).
func (r *samlRun) decodeParameter() *Error {
	parameter := r.req.Assertion
	switch {
	case parameter == "":
		return r.fail(ReasonMissing, "the parameter is empty")
	case r.req.Use == ClientAuth && !r.config.AllowClientAuth:
		return r.fail(ReasonDisabled, "client authentication by SAML is not enabled")
	case len(parameter) > r.config.Limits.Size:
		return r.fail(ReasonSize, "%d characters, more than %d", len(parameter), r.config.Limits.Size)
	}

	if r.config.LenientBase64 {
		parameter = lenientBase64.Replace(strings.TrimRight(parameter, "=\r\n"))
	}
	// The decoder would skip line ends, so they are looked for first.
	if i := strings.IndexFunc(parameter, func(c rune) bool { return !isBase64URL(c) }); i >= 0 {
		hint := ""
		if strings.ContainsRune("+/=\r\n", rune(parameter[i])) {
			hint = "; it looks like plain base64, which LenientBase64 accepts"
		}
		return r.fail(ReasonEncoding, "%q is not base64url without padding%s", parameter[i], hint)
	}
	octets, err := base64.RawURLEncoding.Strict().DecodeString(parameter)
	if err != nil {
		return r.fail(ReasonEncoding, "not base64url").because(err)
	}
	r.octets = octets
	return nil
}

// lenientBase64 turns plain base64 into base64url and removes line ends.
var lenientBase64 = strings.NewReplacer("+", "-", "/", "_", "\r", "", "\n", "")

func isBase64URL(c rune) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// scan refuses XML that parsers could read differently. What is accepted becomes the
// tree, which the next layers may read only after the round trip was checked.
func (r *samlRun) scan() *Error {
	octets, root, err := xmldsig.ScanTree(r.octets, r.config.Limits.document())
	if err != nil {
		return r.fail(limited(err, ReasonSyntax), "not acceptable XML").because(err)
	}
	r.octets = octets
	r.root = root
	return nil
}

// limited returns ReasonSize if the error is that of a limit, and the other reason if it
// is not.
func limited(err error, otherwise Reason) Reason {
	if limit := xmldsig.LimitError(""); errors.As(err, &limit) {
		return ReasonSize
	}
	return otherwise
}

// checkRoundTrip refuses a document about which Go's encoder and decoder disagree.
func (r *samlRun) checkRoundTrip() *Error {
	if err := xmldsig.RoundTrip(r.octets); err != nil {
		return r.fail(limited(err, ReasonSyntax), "not stable when written and read again").because(err)
	}
	return nil
}

// checkTree demands the tree that the lexical layer has built from what it accepted.
func (r *samlRun) checkTree() *Error {
	if r.root != nil {
		return nil
	}
	root, err := xmldsig.Parse(r.octets, r.config.Limits.document())
	if err != nil {
		return r.fail(ReasonSyntax, "not one XML tree").because(err)
	}
	r.root = root
	return nil
}

// checkStructure accepts one shape of document: a SAML 2.0 Assertion with its own
// Signature right after its Issuer. The document must have no second assertion or
// signature anywhere, and no ID that could be taken for that of the assertion.
func (r *samlRun) checkStructure() *Error {
	root := r.root
	if !xmldsig.Is(root, nsSAML, "Assertion") {
		return r.fail(ReasonStructure, "the root is %s of namespace %s, not a SAML 2.0 Assertion%s",
			shown(root.Tag), shown(root.NamespaceURI()), rootAdvice(root))
	}
	if version, _ := xmldsig.Attribute(root, "Version"); version != "2.0" {
		return r.fail(ReasonStructure, "version %s, not 2.0", shown(version))
	}
	id, _ := xmldsig.Attribute(root, "ID")
	if !isPlainID(id) {
		return r.fail(ReasonStructure, "the ID is empty, too long or has other characters than an ID")
	}
	r.claimedID = id
	if err := checkTreeNames(root); err != nil {
		return r.fail(ReasonStructure, "not one signed assertion").because(err)
	}
	return r.checkSignatureShape(root, id)
}

// checkSignatureShape reads the issuer and the signature, whose one reference must
// be to the assertion.
func (r *samlRun) checkSignatureShape(root *etree.Element, id string) *Error {
	parts, err := xmldsig.Children(root)
	if err != nil {
		return r.fail(ReasonStructure, "in the Assertion").because(err)
	}
	if len(parts) < 2 || !xmldsig.Is(parts[0], nsSAML, "Issuer") || !xmldsig.Is(parts[1], xmldsig.Namespace, "Signature") {
		return r.fail(ReasonStructure, "the Assertion does not begin with Issuer and Signature")
	}

	if r.claimedIssuer, err = xmldsig.Text(parts[0]); err != nil {
		return r.fail(ReasonStructure, "in the Issuer").because(err)
	}
	if r.signature, err = xmldsig.ReadSignature(parts[1]); err != nil {
		return r.fail(limited(err, ReasonStructure), "in the Signature").because(err)
	}
	info, err := r.signature.SignedInfo()
	if err != nil {
		return r.fail(limited(err, ReasonStructure), "in the Signature").because(err)
	}
	if info.Reference != "#"+id {
		return r.fail(ReasonStructure, "the Reference is to %s, not to the Assertion %s", shown(info.Reference), shown(id))
	}
	return nil
}

// isPlainID reports whether an ID has only characters that no parser treats in a
// special way.
func isPlainID(id string) bool {
	return id != "" && len(id) <= maxIDLength &&
		!strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`"'<>#&`, c) })
}

// checkAlgorithms refuses algorithms and transforms that are not on the lists.
func (r *samlRun) checkAlgorithms() *Error {
	info, err := r.signature.SignedInfo()
	if err == nil {
		err = info.CheckAlgorithms()
	}
	if err != nil {
		return r.fail(ReasonAlgorithm, "not on the list").because(err)
	}
	return nil
}

// checkSignature verifies the signature with the issuer's configured keys, and parses
// a new tree from the octets that it covers. KeyInfo is not read.
func (r *samlRun) checkSignature() *Error {
	issuer, refusal := findIssuer(r.ctx, r.config.Issuers, r.req.Use, r.claimedIssuer)
	if refusal != nil {
		return refusal
	}
	info, err := r.signature.SignedInfo()
	if err != nil {
		return r.fail(ReasonStructure, "in the Signature").because(err)
	}
	if issuer.Algorithms != nil && !slices.Contains(issuer.Algorithms, info.Algorithm) {
		return r.fail(ReasonAlgorithm, "%s is not configured for issuer %s", shown(info.Algorithm), shown(issuer.ID))
	}

	keys := xmldsig.UsableKeys(issuer.Keys)
	if len(keys) == 0 {
		return r.fail(ReasonKey, "issuer %s has no usable SAML key among %d", shown(issuer.ID), len(issuer.Keys)).
			because(firstKeyError(issuer.Keys))
	}
	r.issuer = issuer
	covered, key, err := r.signature.Verify(r.root, r.claimedID, keys, r.config.Limits.document())
	if err != nil {
		return r.fail(limited(err, ReasonSignature), "issuer %s", shown(issuer.ID)).because(err)
	}
	verified, err := xmldsig.Parse(covered, r.config.Limits.document())
	if err != nil {
		return r.fail(ReasonSignature, "the signed octets are not one XML tree").because(err)
	}
	if err := checkVerified(verified, r.claimedID, issuer.ID); err != nil {
		return r.fail(ReasonSignature, "what was signed is not what was sent").because(err)
	}
	r.verified = verified
	r.keyID = xmldsig.Thumbprint(key)
	return nil
}

// firstKeyError returns why the first of the keys is not usable, or nil.
func firstKeyError(keys []crypto.PublicKey) error {
	for _, key := range keys {
		if err := xmldsig.CheckKey(key); err != nil {
			return err
		}
	}
	return nil
}

// checkVerified compares the root, the ID and the issuer of the signed tree with those
// of the tree that was sent.
func checkVerified(root *etree.Element, id, issuer string) error {
	if got, _ := xmldsig.Attribute(root, "ID"); !xmldsig.Is(root, nsSAML, "Assertion") || got != id {
		return errors.New("another root")
	}
	parts, err := xmldsig.Children(root)
	if err != nil {
		return err
	}
	if len(parts) == 0 || !xmldsig.Is(parts[0], nsSAML, "Issuer") {
		return errors.New("no Issuer")
	}
	if got, err := xmldsig.Text(parts[0]); err != nil || got != issuer {
		return errors.New("another Issuer")
	}
	return xmldsig.Walk(root, func(e *etree.Element) error {
		if e.Tag == "Signature" {
			return errors.New("a Signature is left")
		}
		return nil
	})
}

// checkReplay enters the assertion into the replay store. It is the last layer and the
// only one that changes anything.
func (r *samlRun) checkReplay() *Error {
	if r.accepted == nil {
		return r.fail(ReasonUnavailable, "nothing was read")
	}
	reusable := r.config.AllowReuse || r.req.Use == Grant && r.issuer != nil && r.issuer.AllowReuse
	if reusable && !r.accepted.OneTimeUse {
		return nil
	}
	if r.config.Replay == nil {
		return r.fail(ReasonReplay, "OneTimeUse cannot be held without a replay store")
	}
	first, err := r.config.Replay.Use(r.ctx, r.accepted.Issuer, r.accepted.ID, r.until.Add(r.config.ClockSkew))
	switch {
	case err != nil:
		return r.fail(ReasonUnavailable, "replay store").because(err)
	case !first:
		return r.fail(ReasonReplay, "assertion %s of %s was used before", shown(r.accepted.ID), shown(r.accepted.Issuer))
	}
	return nil
}
