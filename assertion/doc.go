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
// says what was found and what was expected. (*SAML).Explain reports every step.
package assertion
