package clientauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Host is a method of client authentication of the host. The face has the same
// interface and documents it.
type Host interface {
	Methods() []string
	Presented(r *http.Request, form url.Values) (clientID string, ok bool)
	Verify(ctx context.Context, r *http.Request, form url.Values, c storage.Client) error
}

// ByPointer returns an authenticator that shows the host's a copy of the client. Types
// of package grants only read it, so they get it as it is.
func ByPointer(h Host) seam.Authenticator { return host{h, seam.Own(h)} }

type host struct {
	Host
	own bool
}

// Verify implements [seam.Authenticator].
func (a host) Verify(ctx context.Context, r *http.Request, form url.Values, c *storage.Client) error {
	if a.own {
		return a.Host.Verify(ctx, r, form, *c)
	}

	return a.Host.Verify(ctx, r, form, c.Clone())
}

// SigningAlgorithms returns those of the host's authenticator, if it names some.
func (a host) SigningAlgorithms() []string {
	if named, ok := a.Host.(interface{ SigningAlgorithms() []string }); ok {
		return named.SigningAlgorithms()
	}

	return nil
}

// Prepare fills in the methods that are accepted, and returns why they cannot be.
func (r *Room) Prepare() error {
	builtIn := []string{storage.AuthClientSecretBasic, storage.AuthClientSecretPost, storage.AuthNone}
	if len(r.Methods) == 0 {
		r.Methods = slices.Clone(builtIn)
		for _, a := range r.Others {
			r.Methods = append(r.Methods, a.Methods()...)
		}
	}

	var wrong faults.List
	for _, m := range r.Methods {
		verifies := func(a seam.Authenticator) bool { return slices.Contains(a.Methods(), m) }
		if !slices.Contains(builtIn, m) && !slices.ContainsFunc(r.Others, verifies) {
			wrong.Add("AuthMethods: nothing in ClientAuth verifies %q", m)
		}
	}

	return wrong.Err()
}
