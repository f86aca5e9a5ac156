// Package issue makes tokens. It is the one place where they are made: for every
// grant of the server and of the host, at the token endpoint and at the
// authorization endpoint.
package issue

import (
	"context"
	"errors"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/seam"
)

// Room makes tokens from decisions.
type Room struct {
	Live   *live.Room
	Scopes *scope.Rules
	// Audience is that of a client that has none registered.
	Audience []string
	Lifetimes
	// Refreshes says that the server serves the refresh grant.
	Refreshes bool

	// Before and After are the host's hooks; nil: none.
	Before func(ctx context.Context, i *seam.Issuance) error
	After  func(ctx context.Context, i *seam.Issuance) error
	// Timeout bounds the withdrawal of tokens that After refused.
	Timeout time.Duration
}

// Lifetimes are those of the server. A client may have its own.
type Lifetimes struct {
	Access  time.Duration
	Refresh time.Duration // of a whole family
	Idle    time.Duration // of a refresh token that is not used; 0: no limit but the family's
	Signed  time.Duration // the longest of a token that the server signs; 0: no limit
}

// run is one decision on its way to tokens.
type run struct {
	*Room
	in seam.Issuing

	full     []string // the scope of the grant
	scope    []string // that of its access token
	audience []string
	expires  time.Time
	claims   map[string]any
	response map[string]any
	refresh  bool // a refresh token comes with it

	out seam.Minted
}

// step is one step on the way.
type step struct {
	name string
	do   func(r *run, ctx context.Context) error
}

// steps returns the steps in their order. What may refuse comes before what costs,
// and nothing is stored in any of them.
func steps() [9]step {
	return [...]step{
		{"subject", (*run).checkSubject},
		{"scope", (*run).decideScope},
		{"consent", (*run).checkConsent},
		{"client", (*run).checkClient},
		{"replay", (*run).replay},
		{"plan", (*run).plan},
		{"hook", (*run).askHost},
		{"mint", (*run).mint},
		{"prepare", (*run).prepare},
	}
}

// Mint makes the tokens of a decision and the records that stand for them. The
// result is not nil also if there is an error: it has the grant's ID then.
func (r *Room) Mint(ctx context.Context, in seam.Issuing) (*seam.Minted, error) {
	x := &run{Room: r, in: in}
	x.out.GrantID = in.Grant.ID
	for _, s := range steps() {
		if err := s.do(x, ctx); err != nil {
			return &x.out, err
		}
		if x.out.Replayed {
			break
		}
	}

	return &x.out, nil
}

// Issue makes the tokens of a decision and stores them in one write with what they
// spend.
func (r *Room) Issue(ctx context.Context, in seam.Issuing) (*seam.Minted, error) {
	out, err := r.Mint(ctx, in)
	if err != nil || out.Replayed {
		return out, err
	}
	if err := r.store(ctx, in.Grant, out.Records); err != nil {
		return out, err
	}
	if out.Stored != nil {
		return out, out.Stored(ctx)
	}

	return out, nil
}

// checkSubject refuses a user who may not have tokens.
func (r *run) checkSubject(ctx context.Context) error {
	g := r.in.Grant
	if g.Subject == "" {
		return errors.New("grantwell: the grant names no subject")
	}
	if err := r.Live.CheckSubject(ctx, r.in.Client.ID, g.Subject); err != nil {
		return err
	}
	if g.ID == "" && g.Subject != r.in.Client.ID { // a family that begins with a user
		return r.Live.CheckUser(ctx, g.Subject)
	}

	return nil
}

// checkConsent refuses what rests on a consent that was withdrawn.
func (r *run) checkConsent(ctx context.Context) error {
	return r.Live.Consents.Check(ctx, r.in.Client.ID, r.in.Grant.Subject, r.in.Grant.Consent)
}

// checkClient refuses to spend what was issued before everything of the client, or of
// the server, was ended.
func (r *run) checkClient(context.Context) error {
	spend := r.in.Grant.Spend
	switch {
	case spend == nil:
		return nil
	case r.in.Client.Ended(spend.IssuedAt):
		return ended(r.in.Client.TokensNotBefore)
	case spend.IssuedAt.Before(r.Live.NotBefore):
		return ended(r.Live.NotBefore)
	}

	return nil
}

func ended(before time.Time) error {
	return grants.InvalidGrant("what was issued before %v has ended", before).For(grants.ReasonClientEnded)
}

// replay answers with a response that was given before.
func (r *run) replay(ctx context.Context) error {
	if r.in.Grant.Replay == nil {
		return nil
	}
	r.out.Response = r.in.Grant.Replay
	r.out.Replayed = true

	return later.Of(ctx).Run(ctx)
}

// prepare uses up the request's assertions and lets the grant see the response, before
// anything is stored. Nothing but the store can refuse the request after that.
func (r *run) prepare(ctx context.Context) error {
	if err := later.Of(ctx).Run(ctx); err != nil {
		return err
	}
	if r.in.Grant.Prepare == nil {
		return nil
	}

	return r.in.Grant.Prepare(ctx, r.out.Response)
}
