// Package tokens makes and checks access tokens, and holds the keys that sign them.
//
// # Two kinds of token
//
// [Opaque] tokens are random and mean nothing without the store: the shortest, the fastest, and revoked at once. They
// are the right choice unless resource servers must decide by themselves. [JWT] tokens (RFC 9068) carry their claims and
// a signature; everybody with the JWK Set can verify them, and a revoked one stays good until it expires for a resource
// server that does not ask. A host's own kind is a type with the two methods of [Strategy].
//
// # Which algorithm
//
// ES256 or EdDSA. Signing with RSA-2048 takes about twenty times the processor time of either, for every token, and makes
// tokens four times as long in the signature; what RSA is fast at, verification, the resource servers do and the
// issuer does not. Take RS256 where a client knows nothing else. "none" and HMAC do not exist here (RFC 8725 section 3.1).
//
// # Keys
//
// A [Key] needs no more than a [crypto.Signer], so it may be in memory, in a KMS or in an HSM, and it serves one algorithm
// only. [StaticKeys] never change. [Rotation] changes them by a schedule that is a function of the time alone, so any
// number of instances agree without talking to one another: a key is published before it signs and for as long as
// a token that it signed may live.
//
// # What is refused
//
// Whatever Mint would not have written: another spelling of the same bytes, a header with one member too many, a claim
// twice, a number in place of a text, 16 KiB and a character. Reasons are for operators, are constant texts and never
// contain a part of the token.
package tokens
