package fositegrant_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/storage"
)

// badge is a grant type that a team wrote for fosite. The number on a badge stands for its
// wearer.
type badge struct{}

func (badge) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne("https://example.com/grants/badge")
}

func (badge) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool {
	return false
}

func (badge) HandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) error {
	wearer, ok := strings.CutPrefix(r.GetRequestForm().Get("badge"), "4711-")
	if !ok {
		return fosite.ErrInvalidGrant.WithHint("No such badge.")
	}
	r.GetSession().(*fosite.DefaultSession).Subject = wearer
	r.GrantScope("door")
	return nil
}

func (badge) PopulateTokenEndpointResponse(_ context.Context, _ fosite.AccessRequester, w fosite.AccessResponder) error {
	w.SetExtra("building", "north")
	return nil
}

func ExampleNew() {
	grant, err := fositegrant.New(badge{}, fositegrant.Options{
		GrantType: "https://example.com/grants/badge",
	})
	if err != nil {
		panic(err)
	}

	// In a program the grant is one of grantwell.Config.Grants, and the server calls it.
	decision, err := grant.Handle(context.Background(), &grants.Request{
		Form:          url.Values{"badge": {"4711-ann"}},
		Client:        &storage.Client{ID: "gate"},
		Authenticated: true,
		Now:           time.Now(),
	})
	fmt.Println(decision.Subject, decision.Limit, decision.Response, err)
	// Output: ann [door] map[building:north] <nil>
}
