package observe

import (
	"context"
	"crypto"
	"io"

	"github.com/grantwell/grantwell/tokens"
)

// Keys returns k with every signature observed, and every request for the signing key. A
// signature is observed in the context in which its key was requested. If o is nil, Keys
// returns k itself.
func Keys(o Observer, k tokens.Keys) tokens.Keys {
	if o == nil || k == nil {
		return k
	}
	return keys{o, k}
}

// keys observes a [tokens.Keys].
type keys struct {
	o Observer
	k tokens.Keys
}

// Signing implements [tokens.Keys].
func (k keys) Signing(ctx context.Context) (key tokens.Key, err error) {
	call := Call{Part: "signer", Name: "Signing"}
	err = k.o.do(ctx, call, func(ctx context.Context) error {
		key, err = k.k.Signing(ctx)
		return err
	})
	if key.Signer == nil {
		return key, err
	}

	s := signer{
		Signer:    key.Signer,
		o:         k.o,
		ctx:       ctx,
		algorithm: key.Algorithm,
	}
	key.Signer = s

	// A key that hashes by itself must keep doing so.
	if m, ok := s.Signer.(crypto.MessageSigner); ok {
		key.Signer = messageSigner{s, m}
	}
	return key, err
}

// Published implements [tokens.Keys]. It is not observed, because each verification calls
// it and it answers from memory.
func (k keys) Published(ctx context.Context) ([]tokens.Key, error) {
	return k.k.Published(ctx)
}

// signer is the key of one token. It keeps the context of the request, because the methods
// of [crypto.Signer] take none.
type signer struct {
	crypto.Signer
	o         Observer
	ctx       context.Context
	algorithm string
}

// Sign implements [crypto.Signer].
func (s signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	return s.observed(func() ([]byte, error) {
		return s.Signer.Sign(rand, digest, opts)
	})
}

// observed observes one signature.
func (s signer) observed(sign func() ([]byte, error)) (sig []byte, err error) {
	call := Call{"signer", "Sign", s.algorithm}
	err = s.o.do(s.ctx, call, func(context.Context) error {
		sig, err = sign()
		return err
	})
	return sig, err
}

// messageSigner is a signer that hashes by itself.
type messageSigner struct {
	signer
	m crypto.MessageSigner
}

// SignMessage implements [crypto.MessageSigner].
func (s messageSigner) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.observed(func() ([]byte, error) {
		return s.m.SignMessage(rand, msg, opts)
	})
}
