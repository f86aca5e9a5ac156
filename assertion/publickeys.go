package assertion

import "crypto"

// PublicKeys returns the keys themselves, in order, for an [Issuer] whose SAML assertions they verify.
func (s *KeySet) PublicKeys() []crypto.PublicKey {
	out := make([]crypto.PublicKey, len(s.keys))
	for i, k := range s.keys {
		out[i] = k.Key
	}
	return out
}
