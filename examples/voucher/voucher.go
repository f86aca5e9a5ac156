package main

import (
	"context"
	"errors"
	"sync"

	"github.com/grantwell/grantwell/grants"
)

// Voucher exchanges a voucher of the shop for tokens of the user who owns it.
type Voucher struct{ Shop *Shop }

// GrantType returns an absolute URI of the host (RFC 6749 section 4.5).
func (Voucher) GrantType() string { return "https://shop.example/grants/voucher" }

// Handle looks the voucher up. The voucher is spent in Prepare, when every check of
// the server has passed: a request that is refused, for example for its scope, spends
// nothing.
func (v Voucher) Handle(ctx context.Context, r *grants.Request) (*grants.Grant, error) {
	voucher := r.Form.Get("voucher")
	user, err := v.Shop.Owner(ctx, voucher)
	if err != nil {
		return nil, grants.InvalidGrant("voucher: %w", err)
	}
	spend := func(ctx context.Context, _ *grants.Response) error {
		if err := v.Shop.Redeem(ctx, voucher); err != nil {
			return grants.InvalidGrant("voucher: %w", err)
		}
		return nil
	}

	return &grants.Grant{Subject: user, Refresh: true, Prepare: spend}, nil
}

// Shop stands for the database of the shop.
type Shop struct {
	mu     sync.Mutex
	owners map[string]string // of the vouchers that are not redeemed
}

var errNoVoucher = errors.New("unknown or redeemed")

// Owner returns the user who owns a voucher.
func (s *Shop) Owner(_ context.Context, voucher string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	user, ok := s.owners[voucher]
	if !ok {
		return "", errNoVoucher
	}

	return user, nil
}

// Redeem spends a voucher. Of several calls at the same moment one succeeds.
func (s *Shop) Redeem(_ context.Context, voucher string) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if _, ok := s.owners[voucher]; !ok {
		return errNoVoucher
	}
	delete(s.owners, voucher)

	return nil
}
