package live

import (
	"context"
	"strings"

	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Forms are the forms of the server's tokens.
type Forms struct {
	Opaque  tokens.Opaque // of access tokens
	Refresh tokens.Opaque // of refresh tokens
	// JWT signs access tokens; nil: none are signed.
	JWT *tokens.JWT
	// Own replaces both forms of access tokens; nil: it does not.
	Own tokens.Strategy
	// Default is the form of a client that names none: "opaque" or "jwt".
	Default string
	// Unrecorded leaves signed access tokens out of the store.
	Unrecorded bool
	// Imported are the forms of tokens that another server issued.
	Imported []tokens.Imported

	plain tokens.Strategy // Opaque in an interface, made once
}

// maxImported bounds the forms of imported tokens: each may cost a call of the store.
const maxImported = 4

// Prepare is called once, before the first use. It fills in the default and returns
// why the forms cannot be used, each reason with the name of a field of the host's
// configuration.
func (f *Forms) Prepare(codes tokens.Opaque) error {
	f.plain = f.Opaque
	var wrong faults.List
	switch f.Default {
	case "":
		f.Default = "opaque"
	case "opaque":
	case "jwt":
		if f.JWT == nil {
			wrong.Add("Keys: needed for the access token format jwt")
		}
	default:
		wrong.Add("AccessTokenFormat: is opaque or jwt")
	}
	if f.Unrecorded && f.Default != "jwt" && f.Own == nil {
		wrong.Add("Unrecorded: an opaque token that is not recorded means nothing")
	}
	if f.JWT != nil {
		if err := f.JWT.Check(); err != nil {
			wrong.Add("Keys: %w", err)
		}
	}
	for _, form := range []struct {
		name string
		form tokens.Opaque
	}{{"AccessTokens", f.Opaque}, {"RefreshTokens", f.Refresh}, {"Codes", codes}} {
		if err := form.form.Check(); err != nil {
			wrong.Add("%s: %w", form.name, err)
		}
	}
	f.checkImported(&wrong)
	return wrong.Err()
}

// checkImported checks the forms of imported tokens.
func (f *Forms) checkImported(wrong *faults.List) {
	if len(f.Imported) > maxImported {
		wrong.Add("Imported: has more than %d forms", maxImported)
	}
	for i, form := range f.Imported {
		if form == nil {
			wrong.Add("Imported[%d]: is nil", i)
		} else if v, ok := form.(interface{ Check() error }); ok {
			if err := v.Check(); err != nil {
				wrong.Add("Imported[%d]: %w", i, err)
			}
		}
	}
}

// Strategy returns the form of the client's access tokens and whether they are
// recorded; nil if the server cannot make that form.
func (f *Forms) Strategy(c *storage.Client) (strategy tokens.Strategy, recorded bool) {
	form := c.AccessTokenFormat
	if form == "" {
		form = f.Default
	}
	switch {
	case f.Own != nil:
		return f.Own, !f.Unrecorded
	case form != "jwt":
		return f.plain, true
	case f.JWT == nil:
		return nil, false // the client expects a JWT, so another form would not do
	}

	return f.JWT, !f.Unrecorded
}

// Signs reports whether the server signs the client's access tokens with its keys.
func (f *Forms) Signs(c *storage.Client) bool {
	strategy, _ := f.Strategy(c)
	signed, ok := strategy.(*tokens.JWT)

	return ok && signed != nil
}

// Signed returns the strategy of tokens that are not recorded.
func (f *Forms) Signed() tokens.Strategy {
	if f.Own != nil {
		return f.Own
	}

	return f.JWT
}

// Ours reports whether a string can be one of the server's access tokens, so that
// garbage never reaches the store.
func (f *Forms) Ours(ctx context.Context, token string) bool {
	if f.Own != nil {
		return len(token) <= MaxToken
	}
	if f.JWT != nil && strings.Count(token, ".") == 2 && len(token) <= MaxToken {
		return true // its record or its signature decides
	}
	_, err := f.Opaque.Verify(ctx, token)

	return err == nil
}
