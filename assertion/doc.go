// Package assertion verifies SAML 2.0 and JWT bearer assertions, as authorization
// grants and as client authentication (RFC 7521, RFC 7522, RFC 7523 and
// draft-ietf-oauth-rfc7523bis). It knows no HTTP server and no store.
//
// A [Verifier] takes a [Request], the presented parameter with its circumstances,
// and returns an [Assertion] or an [*Error]. [NewSAML] and [NewJWT] make verifiers;
// an [IssuerSource] names the issuers that are trusted, with their keys and limits.
//
// # What a SAML assertion goes through
//
// In this order, each step seeing only what the earlier ones have bounded: size and
// base64url; the small part of XML that is read (no document type, comment, CDATA
// or processing instruction, every prefix declared, no attribute twice); a round
// trip through Go's encoder; the tree; decryption where it is configured; one shape
// of document and signature; a list of algorithms; the signature with the issuer's
// configured keys, KeyInfo ignored; the rules of RFC 7522; replay.
//
// What is read in the end is parsed from the very octets that the signature's
// digest was computed over. Nothing of the document as it was sent survives.
//
// # Policy
//
// Assertions are good once unless AllowReuse is set. RSA of 2048 to 8192 bits and ECDSA on
// P-256, P-384 and P-521 with SHA-256, SHA-384 or SHA-512; exclusive
// canonicalization only. Encryption by RSA-OAEP and AES-GCM only. Clocks may differ
// by 60 seconds, and an expiry may be one hour away. SAML client authentication is
// off. The dates of certificates do not matter: keys are trusted, as in SAML metadata.
//
// # Errors
//
// [Error.Code] is for the OAuth response, [Error.Description] is safe for the
// client, [Error.Reason] is a stable name for logs and counters, and the text of the error
// says what was found and what was expected. (*SAMLVerifier).Explain reports every step.
//
// # Trusting an identity provider
//
// From its metadata file to the first token:
//
//	ed, err := assertion.ParseMetadata(file, "https://idp.example/metadata") // bounded; the entityID must match
//	idp, err := assertion.IssuerFromMetadata(ed, time.Now())                 // all its signing keys
//	idp.Subject = func(ctx context.Context, a *assertion.Assertion) (string, error) {
//		return users.ByMail(ctx, a.Subject.Value) // one provider must not name another's users
//	}
//	saml, err := assertion.NewSAML(assertion.SAMLConfig{
//		Issuers:    assertion.Issuers(*idp),
//		Audiences:  []string{"https://as.example"},       // what the provider writes as Audience
//		Recipients: []string{"https://as.example/token"}, // and as Recipient
//		Replay:     grants.Replay{Records: store},
//	})
//	// grantwell.Config{Grants: []grants.Handler{grants.SAMLBearer{Verifier: saml}, …}}
//
// Tell the provider's administrator the audience and the recipient, exactly: they are compared octet by octet. If
// the provider can write only another recipient, such as a client's sign-on URL, add that to Issuer.Recipients.
//
// Rollover: metadata names the old and the new key for a while, and both verify. A [MetadataSource] in place of the
// fixed list fetches the file again as it asks for, keeps the last good copy when it cannot, and takes a
// pinned key for the signature of the metadata. Without metadata, put both keys into Issuer.Keys, then remove the old one.
//
// A client that can present any assertion could present one that it stole: demand by Issuer.BindClient that the assertion names
// the client, and list in Issuer.Clients who may use this provider at all.
//
// When a request is refused, look at the Reason in the event, or give the assertion to (*SAMLVerifier).Explain:
//
//	encoding       not base64url; some clients send plain base64: SAMLConfig.LenientBase64
//	syntax         a DOCTYPE, comment, CDATA or a namespace trick: no honest provider needs one
//	structure      not exactly one signed Assertion: a whole Response was sent, or the Response was signed and not the Assertion
//	algorithm      SHA-1, or a transform that is not on the list: change the provider's settings
//	issuer         the entityID is not the one configured: compare octet by octet
//	key, signature the provider has a key that the metadata did not name, or the text was changed on its way
//	audience       Audience is not in Audiences: the text of the error has both
//	recipient      Recipient is not in Recipients: the text of the error has both
//	expired, not_yet_valid  compare the clocks; ClockSkew is 60 seconds
//	lifetime       no expiry, or one further away than MaxLifetime
//	confirmation   no bearer SubjectConfirmation that holds
//	client         BindClient or Clients says that it is not for this client
//	subject        no NameID, or Issuer.Subject does not know the user
//	replay         it was used before: make a new one for each request
//	unavailable    the replay store or the source of issuers failed: try again
package assertion
