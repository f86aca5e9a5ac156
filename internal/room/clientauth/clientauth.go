// Package clientauth finds out which client sent a request, by the one method that
// the client is registered for (RFC 6749 section 2.3).
package clientauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// ErrNoCredentials is the cause of the error for a request that names no client, or
// a confidential client without proof.
var ErrNoCredentials = errors.New("grantwell: no client credentials")

// Room authenticates clients.
type Room struct {
	Clients seam.Clients
	// Methods are the methods that are accepted.
	Methods []string
	// Others verify what is no shared secret.
	Others []seam.Authenticator
	Limit  frame.Limit
	// LimitClass names the class of a client's limit; nil: all have one limit.
	LimitClass func(clientID string) string
	// AnySecretPlace takes a secret from the header or the body, whichever of both
	// the client is registered for.
	AnySecretPlace bool

	slow slowHash
}

// Authenticate returns the client that sent the call, as soon as it is known, and
// whether it proved its identity.
func (r *Room) Authenticate(ctx context.Context, c *seam.Call) (*storage.Client, bool, error) {
	p, err := r.present(c)
	if err != nil {
		return nil, false, err
	}
	if p.clientID == "" && p.plain.id == "" {
		return nil, false, grants.InvalidClient("%w", ErrNoCredentials).For(grants.ReasonNoCredentials)
	}

	client, err := r.find(ctx, &p)
	switch {
	case errors.Is(err, storage.ErrNotFound) && p.clientID == "":
		return nil, false, grants.InvalidClient("%w", errBasic).For(grants.ReasonCredentials)
	case errors.Is(err, storage.ErrNotFound):
		return nil, false, r.fail(ctx, c, &p, nil, grants.ReasonClientUnknown)
	case err != nil:
		return nil, false, grants.Unavailable(err)
	case client.Disabled:
		return nil, false, r.fail(ctx, c, &p, client, grants.ReasonClientDisabled)
	}

	authenticated, err := r.verify(ctx, c, &p, client)

	return client, authenticated, err
}

// find looks the client up. A Basic header that is not form-encoded names a client, or
// carries a secret, only if the client's registration says that it is to be read so.
func (r *Room) find(ctx context.Context, p *presented) (*storage.Client, error) {
	if p.clientID != "" && (p.named == "" || p.named == p.clientID) {
		client, err := r.Clients.Client(ctx, p.clientID)
		if err == nil && client.LiteralBasic && p.plain.id == client.ID {
			p.second = p.plain.secret
		}
		if !errors.Is(err, storage.ErrNotFound) || p.plain.id == "" {
			return client, err
		}
	}

	client, err := r.Clients.Client(ctx, p.plain.id)
	switch {
	case err == nil && client.LiteralBasic && (p.named == "" || p.named == client.ID):
		p.clientID, p.secret = p.plain.id, p.plain.secret
		return client, nil
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return nil, err
	}

	return nil, storage.ErrNotFound
}

// verify checks what was presented for a client that exists.
func (r *Room) verify(ctx context.Context, c *seam.Call, p *presented, client *storage.Client) (bool, error) {
	registered := client.Method()
	switch {
	case !slices.Contains(r.Methods, registered):
		return false, r.fail(ctx, c, p, client, grants.ReasonClientMethod)
	case p.by != nil:
		return r.verifyOther(ctx, c, p, client)
	case p.method != registered && !(r.AnySecretPlace && bySecret(p.method) && bySecret(registered)):
		return false, r.fail(ctx, c, p, client, grants.ReasonClientMethod)
	case p.method == storage.AuthNone:
		return false, nil
	case p.secret == "":
		return false, refusal(grants.ReasonClientSecret) // no secret is no guess
	}

	ok, err := r.checkSecret(ctx, c, p, client)
	if err == nil && !ok {
		err = refusal(grants.ReasonClientSecret)
	}

	return ok, err
}

// verifyOther checks credentials that are no shared secret.
func (r *Room) verifyOther(ctx context.Context, c *seam.Call, p *presented, client *storage.Client) (bool, error) {
	if !slices.Contains(p.by.Methods(), client.Method()) {
		return false, r.fail(ctx, c, p, client, grants.ReasonClientMethod)
	}

	done, err := r.ByAddress(ctx, Proofs, c.Request)
	if err != nil {
		return false, err
	}
	refused := false
	defer func() { done(!refused) }()

	if err = p.by.Verify(ctx, c.Request, c.Form, client); err == nil {
		return true, nil
	}
	// What could not be decided is no failed authentication.
	if e := grants.ErrorOf(err); e.Status >= http.StatusInternalServerError && e.Code != "server_error" {
		return false, err
	}
	refused = true

	out := grants.InvalidClient("%w", err).For(grants.ReasonClientProof)
	// The owner of a key may learn which claim was refused. Before the signature
	// holds there is no such text.
	var claim *assertion.Error
	if errors.As(err, &claim) && claim.ClaimRefused() != "" {
		out.Description = claim.Description()
	}

	return false, out
}

// bySecret reports whether a method sends the plain secret.
func bySecret(method string) bool {
	return method == storage.AuthClientSecretBasic || method == storage.AuthClientSecretPost
}

// fail is every failed authentication but that of a wrong secret in the right place. A
// secret that was sent is compared and counted all the same, so that the caller learns
// nothing from the time or from a limit. The client is nil if it is unknown.
func (r *Room) fail(
	ctx context.Context,
	c *seam.Call,
	p *presented,
	client *storage.Client,
	reason grants.Reason,
) error {
	refused := refusal(reason)
	if reason == grants.ReasonClientUnknown {
		refused.Details = map[string]string{"sent_client_id": p.clientID}
	}
	if p.secret == "" {
		return refused
	}
	if _, err := r.checkSecret(ctx, c, p, client); err != nil {
		return err
	}

	return refused
}

// causes say for people why an authentication failed.
var causes = map[grants.Reason]string{
	grants.ReasonClientUnknown:  "unknown client",
	grants.ReasonClientDisabled: "the client is disabled",
	grants.ReasonClientMethod:   "the method is not enabled, or is not the client's registered one",
	grants.ReasonClientSecret:   "wrong secret",
}

func refusal(reason grants.Reason) *grants.Error {
	return grants.InvalidClient("grantwell: %s", causes[reason]).For(reason)
}

// SigningAlgorithms returns the algorithms of the authenticators that are in use and
// that name some, for the metadata (RFC 8414 section 2).
func (r *Room) SigningAlgorithms() []string {
	var all []string
	for _, a := range r.Others {
		used := slices.ContainsFunc(a.Methods(), func(m string) bool { return slices.Contains(r.Methods, m) })
		if named, ok := a.(interface{ SigningAlgorithms() []string }); ok && used {
			all = append(all, named.SigningAlgorithms()...)
		}
	}
	slices.Sort(all)

	return slices.Compact(all)
}

// presented are the credentials that a request carries.
type presented struct {
	named    string // the parameter client_id
	clientID string
	secret   string
	second   string             // the same secret read in another way; "" if there is none
	plain    basic              // what a Basic header says without decoding, if that is another text
	method   string             // of a secret, or storage.AuthNone
	by       seam.Authenticator // verifies them; nil: a secret, or none
}

// present reads which credentials the request carries. More than one kind is refused
// (RFC 6749 section 2.3).
func (r *Room) present(c *seam.Call) (presented, error) {
	p := presented{named: c.Form.Get("client_id"), method: storage.AuthNone}
	p.clientID = p.named
	count, err := p.readBasic(c)
	if err != nil {
		return p, err
	}
	if s := c.Form.Get("client_secret"); s != "" {
		p.secret = s
		p.method = storage.AuthClientSecretPost
		count++
	}
	count += r.presentOther(c, &p)

	switch {
	case p.by == nil && hasAssertion(c.Form):
		return p, grants.InvalidClient("client_assertion of a type that is not enabled").For(grants.ReasonCredentials)
	case p.clientID == "" && (hasAssertion(c.Form) || c.Form.Get("client_secret") != ""):
		// A grant that can do without authentication must not pass over one that fails.
		return p, grants.InvalidClient("the client credentials name no client").For(grants.ReasonCredentials)
	case count > 1:
		return p, p.conflict("More than one method of client authentication was used.")
	case p.named != "" && p.clientID != p.named && p.plain.id != p.named:
		return p, p.conflict("client_id names another client than the credentials.")
	}

	return p, nil
}

// readBasic reads the Basic header, and returns how many there are.
func (p *presented) readBasic(c *seam.Call) (int, error) {
	h := c.Request.Header["Authorization"]
	if len(h) == 0 {
		return 0, nil
	}
	if len(h) > 1 {
		if hasAssertion(c.Form) {
			return 0, beside("More than one Authorization header was sent.")
		}
		return 0, several("More than one Authorization header was sent.")
	}
	decoded, plain, err := parseBasic(h[0])
	if err != nil {
		return 0, grants.InvalidClient("%w", err).For(grants.ReasonCredentials)
	}
	p.clientID, p.secret = decoded.id, decoded.secret
	if plain != decoded {
		p.plain = plain
	}
	p.method = storage.AuthClientSecretBasic

	return 1, nil
}

// presentOther looks for credentials that are no shared secret, and returns how many
// kinds there are.
func (r *Room) presentOther(c *seam.Call, p *presented) int {
	count := 0
	for _, a := range r.Others {
		id, ok := a.Presented(c.Request, c.Form)
		if !ok {
			continue
		}
		p.by = a
		if id != "" {
			p.clientID = id
		}
		count++
	}

	return count
}

func hasAssertion(form url.Values) bool {
	return form.Get("client_assertion") != "" || form.Get("client_assertion_type") != ""
}

// conflict refuses credentials that contradict each other. RFC 7521 section 4.2.1 has
// its own code where one of them is an assertion.
func (p *presented) conflict(description string) error {
	if p.by != nil {
		return beside(description)
	}

	return several(description)
}

// beside refuses an assertion or a certificate beside other credentials.
func beside(description string) error {
	return grants.InvalidClient("grantwell: %s", description).For(grants.ReasonCredentials)
}

func several(description string) error {
	return grants.InvalidRequest(description).For(grants.ReasonCredentials)
}
