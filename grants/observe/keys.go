package observe

import (
	"context"
	"crypto"
	"io"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/tokens"
)

// Keys returns k with every signature observed, and every question which key signs. A signature belongs to the context
// in which its key was asked for. Without an observer it is k itself.
func Keys(o Observer, k tokens.Keys) tokens.Keys {
	if o == nil || k == nil {
		return k
	}
	return keys{o, k}
}

type keys struct {
	o Observer
	k tokens.Keys
}

// Signing implements [tokens.Keys].
func (k keys) Signing(ctx context.Context) (key tokens.Key, err error) {
	err = k.o.do(ctx, Call{Part: "signer", Name: "Signing"}, func(ctx context.Context) error { key, err = k.k.Signing(ctx); return err })
	if key.Signer != nil {
		s := signer{key.Signer, k.o, ctx, key.Algorithm}
		key.Signer = s
		if whole, ok := s.Signer.(crypto.MessageSigner); ok {
			key.Signer = messageSigner{s, whole}
		}
	}
	return key, err
}

// Published implements [tokens.Keys]. It is not observed: verifying asks for it all the time, and it answers from memory.
func (k keys) Published(ctx context.Context) ([]tokens.Key, error) { return k.k.Published(ctx) }

// signer is a key of one token's. crypto.Signer has no context, so that it keeps the one of its request.
type signer struct {
	crypto.Signer
	o         Observer
	ctx       context.Context
	algorithm string
}

// Sign implements [crypto.Signer].
func (s signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	return s.observed(func() ([]byte, error) { return s.Signer.Sign(rand, digest, opts) })
}

func (s signer) observed(sign func() ([]byte, error)) (sig []byte, err error) {
	err = s.o.do(s.ctx, Call{"signer", "Sign", s.algorithm}, func(context.Context) error { sig, err = sign(); return err })
	return sig, err
}

type messageSigner struct {
	signer
	whole crypto.MessageSigner
}

// SignMessage implements [crypto.MessageSigner].
func (s messageSigner) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.observed(func() ([]byte, error) { return s.whole.SignMessage(rand, msg, opts) })
}

// Verifier returns v with every assertion observed. Why one was refused is told by the verifier's own Event.
// Without an observer it is v itself.
func Verifier(o Observer, v assertion.Verifier) assertion.Verifier {
	if o == nil || v == nil {
		return v
	}
	return verifier{o, v}
}

type verifier struct {
	o Observer
	v assertion.Verifier
}

// Verify implements [assertion.Verifier].
func (v verifier) Verify(ctx context.Context, r assertion.Request) (a *assertion.Assertion, err error) {
	err = v.o.do(ctx, Call{"assertion", "Verify", use(r.Use)}, func(ctx context.Context) error { a, err = v.v.Verify(ctx, r); return err })
	return a, err
}

func use(u assertion.Use) string {
	if u == assertion.ClientAuth {
		return "client"
	}
	return "grant"
}
