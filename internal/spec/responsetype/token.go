package responsetype

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// Token answers with an access token (RFC 6749 section 4.2.2).
type Token struct{ kernel seam.Kernel }

var (
	_ seam.Responder = (*Token)(nil)
	_ seam.Binder    = (*Token)(nil)
)

// ResponseType returns "token".
func (*Token) ResponseType() string { return "token" }

// Bind implements [seam.Binder].
func (t *Token) Bind(k seam.Kernel) { t.kernel = k }

// Respond makes the access token, in a family of its own: the token and what a code
// of the same answer buys are revoked apart.
func (t *Token) Respond(ctx context.Context, a *seam.Approved, out *seam.Answer) error {
	g := &grants.Grant{
		Subject:  a.Subject,
		Audience: a.Request.Audience,
		Claims:   a.Claims,
		AuthTime: a.AuthTime,
	}
	g.Scope = a.Scope
	if g.Scope == nil {
		g.Scope = []string{} // nothing is left to decide
	}
	g.Consent = a.Consent
	g.Kept = a.Request.Kept

	minted, err := t.kernel.Mint(ctx, seam.Issuing{
		Client:    a.Client,
		Grant:     g,
		GrantType: "implicit",
		Now:       a.Now,
	})
	if err != nil {
		return err
	}

	res := minted.Response
	out.Params.Add("access_token", res.AccessToken)
	out.Params.Add("token_type", res.TokenType)
	out.Params.Add("expires_in", strconv.FormatInt(int64(res.ExpiresAt.Sub(a.Now)/time.Second), 10))
	out.Params.Add("scope", strings.Join(res.Scope, " "))
	out.Records = append(out.Records, minted.Records...)
	if out.GrantID == "" {
		out.GrantID = minted.GrantID
	}
	if minted.Stored != nil {
		out.Stored = append(out.Stored, minted.Stored)
	}

	return nil
}
