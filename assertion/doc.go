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
// # What a refusal costs
//
// Anyone can send an assertion, so the work before its signature is known is bounded,
// besides its size: by [Limits]; by 32 prefixes in a PrefixList, 4096 characters in a
// SignatureValue and a canonical form of one and a half times Limits.Size; and by the
// keys that are tried, at most eight of the usual sizes, and fewer of larger ones, but
// always two. On one core a refusal takes less than 2 ms and less than 1 MiB, with
// three exceptions that the host chooses: each P-521 key takes about 1.6 ms, and other
// large keys up to 2.5 ms together; each private key operation for an encrypted assertion takes
// about 1 ms with RSA of 2048 bits, and at most four are made; and what an
// [IssuerSource], [ClientKeys] or [KeySetSource] does.
//
// A JWT that names its key by kid is tried with that key alone, so issuers and clients
// with large keys should name them. Limit the requests of one address before they
// reach a Verifier.
//
// # Errors
//
// [Error.Code] is for the OAuth response, and [Error.Description] may be sent to the
// client. [Error.Reason] is a stable name for logs and counters. The text of the
// error has what was found and what was expected. [SAMLVerifier.Explain] and
// [JWTVerifier.Explain] report every step, for operators.
//
// # Trusting an identity provider
//
// The guide is assertion/TRUST.md in the repository: from a provider's metadata file to
// the first token, the change of keys, and the reasons for a refusal. [ParseMetadata],
// [IssuerFromMetadata] and [MetadataSource] are what it uses.
package assertion
