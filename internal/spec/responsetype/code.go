package responsetype

import (
	"context"
	"time"

	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Code answers with an authorization code (RFC 6749 section 4.1.2).
type Code struct {
	Form     tokens.Opaque
	Lifetime time.Duration // of a client that has none of its own
	Families ids.Families  // makes the IDs of grants
}

var _ seam.Responder = Code{}

// ResponseType returns "code".
func (Code) ResponseType() string { return "code" }

// Respond makes the code. Its record begins a family and keeps what the token
// request must match.
func (t Code) Respond(ctx context.Context, a *seam.Approved, out *seam.Answer) error {
	code, err := t.Form.Mint(ctx, tokens.Claims{})
	if err != nil {
		return err
	}
	d := record.Data{
		RedirectURI:      a.Request.RedirectURI,
		RedirectURIGiven: a.Request.RedirectURIGiven,
		Challenge:        a.Request.Challenge,
		ChallengeMethod:  a.Request.ChallengeMethod,
		Nonce:            a.Request.Params.Get("nonce"),
		GrantType:        "authorization_code",
		Claims:           a.Claims,
		AuthTime:         a.AuthTime.Unix(),
		Consent:          int64(a.Consent),
		Kept:             a.Request.Kept,
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}

	life := t.Lifetime
	if own := a.Client.CodeLifetime; own > 0 {
		life = own
	}
	out.GrantID = t.Families.New()
	out.Params.Add("code", code)
	out.Records = append(out.Records, storage.Record{
		Kind:      storage.Code,
		Key:       storage.Key(code),
		State:     storage.Active,
		GrantID:   out.GrantID,
		ClientID:  a.Client.ID,
		Subject:   a.Subject,
		Scope:     a.Scope,
		Audience:  a.Request.Audience,
		IssuedAt:  a.Now,
		ExpiresAt: a.Now.Add(life),
		Data:      data,
	})

	return nil
}
