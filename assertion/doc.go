// Package assertion verifies SAML 2.0 and JWT bearer assertions as authorization
// grants and as client authentication (RFC 7521, RFC 7522, RFC 7523 and
// draft-ietf-oauth-rfc7523bis). It uses no HTTP server and no store.
//
// A [Verifier] takes a [Request], the presented parameter with its circumstances,
// and returns an [Assertion] or an [*Error]. [NewSAML] and [NewJWT] make verifiers.
// An [IssuerSource] names the issuers that are trusted, with their keys and limits.
//
// # The steps of a SAML verification
//
// The steps are, in this order: size and base64url; the small part of XML that is
// accepted (no document type, comment, CDATA section or processing instruction,
// every prefix declared, no repeated attribute); a round trip through Go's encoder;
// the tree; decryption if it is configured; one shape of document and signature; a
// list of algorithms; the signature with the issuer's configured keys, without
// KeyInfo; the rules of RFC 7522; replay. Each step reads only what the earlier
// ones have bounded.
//
// The content of an assertion is parsed from the octets over which the digest of
// the signature was computed, and not from the document that was sent.
//
// # Policy
//
// An assertion is accepted once, unless AllowReuse is set. Keys are RSA of 2048 to
// 8192 bits and ECDSA on P-256, P-384 or P-521, with SHA-256, SHA-384 or SHA-512;
// JWTs may also be signed by Ed25519. Only exclusive canonicalization is accepted,
// and of the encryptions only RSA-OAEP with AES-GCM. Clocks may differ by 60
// seconds, and an expiry may be one hour in the future. SAML client authentication
// is off. The dates of certificates are not used: as in SAML metadata, the keys are
// trusted and not the certificates.
//
// # Errors
//
// [Error.Code] is for the OAuth response, and [Error.Description] may be sent to the
// client. [Error.Reason] is a stable name for logs and counters. The text of the
// error has what was found and what was expected. [SAMLVerifier.Explain] reports
// every step.
//
// # Trusting an identity provider
//
// From its metadata file to the first token:
//
//	ed, err := assertion.ParseMetadata(file, "https://idp.example/metadata") // the entityID must match
//	idp, err := assertion.IssuerFromMetadata(ed, time.Now())                 // all its signing keys
//	idp.Subject = func(ctx context.Context, a *assertion.Assertion) (string, error) {
//		return users.ByMail(ctx, a.Subject.Value) // one provider must not name another's users
//	}
//	saml, err := assertion.NewSAML(assertion.SAMLConfig{
//		Issuers:    assertion.Issuers(*idp),
//		Audiences:  []string{"https://as.example"},       // the provider's Audience
//		Recipients: []string{"https://as.example/token"}, // the provider's Recipient
//		Replay:     grants.Replay{Records: store},
//	})
//	// grantwell.Config{Grants: []grants.Handler{grants.SAMLBearer{Verifier: saml}, …}}
//
// Give the provider's administrator the exact audience and recipient, which are
// compared octet by octet. If the provider can write only another recipient, such
// as a client's sign-on URL, add that to Issuer.Recipients.
//
// Rollover: the metadata names the old and the new key for some time, and both
// verify. A [MetadataSource] in place of the fixed list fetches the file again when
// its cacheDuration is over, keeps the last good copy while fetches fail, and can
// demand that a pinned key has signed the metadata. Without metadata, put both keys
// into Issuer.Keys, and remove the old one later.
//
// A client that can present any assertion could present a stolen one. Demand by
// Issuer.BindClient that the assertion names the client, and list in Issuer.Clients
// the clients that may use this provider.
//
// When a request is refused, read the Reason in the event, or give the assertion to
// [SAMLVerifier.Explain]:
//
//	encoding       not base64url; for clients that send plain base64 set SAMLConfig.LenientBase64
//	syntax         a DOCTYPE, comment, CDATA section or namespace that no honest provider needs
//	structure      not exactly one signed Assertion: a whole Response was sent, or only the Response is signed
//	algorithm      SHA-1, or a transform that is not on the list: change the provider's settings
//	issuer         the entityID is not the configured one: compare octet by octet
//	key, signature the provider's key is not in the metadata, or the text was changed
//	audience       Audience is not in Audiences: the text of the error has both
//	recipient      Recipient is not in Recipients: the text of the error has both
//	expired, not_yet_valid  compare the clocks; ClockSkew is 60 seconds
//	lifetime       no expiry, or one further in the future than MaxLifetime
//	confirmation   no bearer SubjectConfirmation that is valid
//	client         BindClient or Clients does not allow this client
//	subject        no NameID, or Issuer.Subject does not know the user
//	replay         it was used before: make a new one for each request
//	unavailable    the replay store or the source of issuers failed: try again
package assertion
