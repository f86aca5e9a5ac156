// Package tokens makes and verifies access tokens, and holds the keys that sign
// them.
//
// # Two kinds of token
//
// An [Opaque] token is random, and its meaning is in the store. It is short, fast
// to make, and revoked at once. It is the right choice unless resource servers
// must decide without asking.
//
// A [JWT] token (RFC 9068) carries its claims and a signature. Every resource
// server that has the JWK Set can verify it. A resource server that does not ask
// the authorization server accepts a revoked token until it expires.
//
// A host can bring its own kind: a type with the two methods of [Strategy].
//
// # Which algorithm
//
// ES256 or EdDSA. Signing with RSA-2048 takes about twenty times the processor
// time of either for every token, and its signature is four times as long. RSA
// is fast in verification only, which the resource servers do and the issuer
// does not. Choose RS256 if a client supports nothing else. The algorithm "none"
// and HMAC do not exist in this package (RFC 8725 section 3.1).
//
// # Keys
//
// A [Key] needs a [crypto.Signer], so it can be in memory, in a KMS or in an
// HSM. It serves one algorithm only. The keys of [StaticKeys] do not change.
// [Rotation] changes keys by a schedule. The key that signs depends on the
// schedule and the time alone, so all instances agree without communication. A
// key is published before it signs, and for as long as a token that it signed
// can be valid.
//
// # What is refused
//
// Verify refuses everything that Mint would not have written: another spelling
// of the same bytes, a header with a further member, a claim that occurs twice, a
// number in place of a string, a token of more than 16 KiB. The reasons are for
// operators. They are constant texts and contain no part of the token.
package tokens
