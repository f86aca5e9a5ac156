package grantwell

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

var clientRoutes = []route{
	{"GET", "/clients", "client.list", []string{"after", "limit"}, listClients},
	{"POST", "/clients", "client.create", nil, createClient},
	{"GET", "/clients/{}", "client.read", nil, readClient},
	{"PUT", "/clients/{}", "client.update", nil, updateClient},
	{"DELETE", "/clients/{}", "client.delete", nil, deleteClient},
	{"POST", "/clients/{}/enable", "client.enable", nil, enabling(true)},
	{"POST", "/clients/{}/disable", "client.disable", nil, enabling(false)},
	{"POST", "/clients/{}/revoke", "client.revoke", nil, endTokens},
	{"POST", "/clients/{}/secret", "client.rotate_secret", nil, rotateSecret},
	{"DELETE", "/clients/{}/secrets/{}", "client.end_secret", nil, endSecret},
}

// clientView is a client as it is shown. The outer fields stand in place of those of the same name inside.
type clientView struct {
	storage.Client
	Secrets   []secretView `json:"secrets,omitempty"`
	SharedKey bool         `json:"shared_key,omitempty"`
	// Plain is a secret that was made for this answer.
	Plain string `json:"client_secret,omitempty"`
}

type secretView struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func viewOf(c storage.Client) clientView {
	v := clientView{Client: *redacted(c), SharedKey: len(c.SharedKey) > 0}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretView{secretID(s), s.ExpiresAt})
	}
	return v
}

// secretID names a secret without telling its hash.
func secretID(s storage.Secret) string {
	sum := sha256.Sum256([]byte(s.Hash))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// redacted is the client without anything that a secret could be guessed from: the ID of each secret stands for its hash.
func redacted(c storage.Client) *storage.Client {
	c = c.Clone()
	c.SharedKey = nil
	for i := range c.Secrets {
		c.Secrets[i].Hash = secretID(c.Secrets[i])
	}
	return &c
}

// etag names the state of a client (RFC 9110 section 8.8.3).
func etag(c storage.Client) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}

// show answers with a client as it is stored.
func (c *act) show(status int, client storage.Client, plain string) error {
	tag, err := etag(client)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", tag)
	v := viewOf(client)
	v.Plain = plain
	return c.write(status, v)
}

// find reads the client that the path names.
func (c *act) find(ctx context.Context) (storage.Client, error) {
	client, err := c.api.clients.Client(ctx, c.id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return client, notFound("There is no such client.")
	case err != nil:
		return client, grants.Unavailable(err)
	}
	c.event.ClientID = client.ID
	return client, nil
}

func listClients(ctx context.Context, c *act) error {
	list, next, err := c.clientPage(ctx, 100)
	if err != nil {
		return err
	}
	out := struct {
		Clients []clientView `json:"clients"`
		Next    string       `json:"next,omitempty"`
	}{make([]clientView, len(list)), next}
	for i, client := range list {
		out.Clients[i] = viewOf(client)
	}
	return c.write(http.StatusOK, out)
}

func (c *act) clientPage(ctx context.Context, preset int) (list []storage.Client, next string, err error) {
	limit, err := c.limit(preset)
	if err != nil {
		return nil, "", err
	}
	after := c.form.Get("after")
	if len(after) > 255 || printable(after, 255) != strings.NewReplacer(`"`, "", `\`, "").Replace(after) {
		return nil, "", grants.InvalidRequest("after is the ID of no client.")
	}
	if list, err = c.api.clients.ListClients(ctx, after, limit); err != nil {
		return nil, "", grants.Unavailable(err)
	}
	if len(list) == limit {
		next = list[limit-1].ID
	}
	return list, next, nil
}

func readClient(ctx context.Context, c *act) error {
	client, err := c.find(ctx)
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, client, "")
}

func createClient(ctx context.Context, c *act) error {
	members, err := c.object(c.s.cfg.MaxBody, false)
	if err != nil {
		return err
	}
	for _, name := range readOnly {
		if _, sent := members[name]; sent && name != "disabled" {
			return badClient("The member " + name + " is read-only.")
		}
	}
	client, err := clientOf(members)
	if err != nil {
		return err
	}
	client.CreatedBy, client.CreatedAt = c.actor, c.now.Truncate(time.Millisecond)
	if client.ID == "" {
		client.ID = newID()
	} else {
		// Somebody else may have had this ID, and something of theirs may be unexpired still.
		client.TokensNotBefore = client.CreatedAt
	}
	plain := credentials(&client)
	if err := checkClient(client); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	if err := c.store(ctx, nil, &client); err != nil {
		return err
	}
	return c.show(http.StatusCreated, client, plain)
}

func updateClient(ctx context.Context, c *act) error {
	members, err := c.object(c.s.cfg.MaxBody, false)
	if err != nil {
		return err
	}
	if c.r.Header.Get("If-Match") == "" {
		return &grants.Error{Code: "precondition_required", Description: "Send If-Match with the ETag of the client that you changed.", Status: http.StatusPreconditionRequired}
	}
	return c.change(ctx, func(old storage.Client) (storage.Client, string, error) {
		if err := editable(members, viewOf(old)); err != nil {
			return old, "", err
		}
		next, err := clientOf(members)
		if err != nil {
			return old, "", err
		}
		if next.ID != "" && next.ID != old.ID {
			return old, "", badClient("The member client_id names another client than the path.")
		}
		next.ID, next.Disabled, next.CreatedAt, next.CreatedBy, next.TokensNotBefore = old.ID, old.Disabled, old.CreatedAt, old.CreatedBy, old.TokensNotBefore
		if next.Method() == old.Method() { // another method starts with new credentials
			next.Secrets, next.SharedKey = old.Secrets, old.SharedKey
		}
		return next, credentials(&next), nil
	})
}

// credentials gives the client the secret that its method needs, unless it has one.
func credentials(c *storage.Client) (plain string) {
	switch {
	case bySecret(c.Method()) && len(c.Secrets) == 0:
		var stored storage.Secret
		plain, stored = GenerateSecret()
		c.Secrets = []storage.Secret{stored}
	case c.Method() == storage.AuthClientSecretJWT && len(c.SharedKey) == 0:
		plain, _ = GenerateSecret()
		c.SharedKey = []byte(plain)
	}
	return plain
}

// enabling makes the handler of enable or disable. Either is done when it was done before.
func enabling(enabled bool) func(ctx context.Context, c *act) error {
	return func(ctx context.Context, c *act) error {
		return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
			client.Disabled = !enabled
			return client, "", nil
		})
	}
}

// endTokens ends what the client has. The millisecond that is not over yet counts as over: stores keep no finer time.
func endTokens(ctx context.Context, c *act) error {
	return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
		client.TokensNotBefore = nowUTC().Truncate(time.Millisecond).Add(time.Millisecond)
		return client, "", nil
	})
}

func deleteClient(ctx context.Context, c *act) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	old, err := c.matched(ctx)
	if err != nil {
		return err
	}
	switch err := c.api.clients.DeleteClient(ctx, c.id); {
	case errors.Is(err, storage.ErrNotFound):
		return notFound("There is no such client.")
	case err != nil:
		return grants.Unavailable(err)
	}
	c.event.Admin.Before = redacted(old)
	return c.done()
}

// change reads the client, has it changed, and stores it. The answer is the client as it is then.
func (c *act) change(ctx context.Context, edit func(storage.Client) (next storage.Client, plain string, err error)) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	old, err := c.matched(ctx)
	if err != nil {
		return err
	}
	next, plain, err := edit(old.Clone())
	if err != nil {
		return err
	}
	if err := checkClient(next); err != nil {
		return err
	}
	if err := c.store(ctx, &old, &next); err != nil {
		return err
	}
	return c.show(http.StatusOK, next, plain)
}

// matched reads the client, and compares it with If-Match (RFC 9110 section 13.1.1).
func (c *act) matched(ctx context.Context) (storage.Client, error) {
	client, err := c.find(ctx)
	want := c.r.Header.Values("If-Match")
	if err != nil || len(want) == 0 {
		return client, err
	}
	tag, err := etag(client)
	if err != nil {
		return client, err
	}
	for t := range strings.SplitSeq(strings.Join(want, ","), ",") {
		if t = strings.TrimSpace(t); t == tag || t == "*" {
			return client, nil
		}
	}
	return client, &grants.Error{Code: "precondition_failed", Description: "The client was changed since. Read it again.", Status: http.StatusPreconditionFailed}
}

// store puts the client into the registry in place of old (nil: there is none), tells the event, and reads
// back what the store made of it.
func (c *act) store(ctx context.Context, old, next *storage.Client) error {
	if err := c.api.put(ctx, old, *next); err != nil {
		return err
	}
	c.event.ClientID = next.ID
	c.event.Admin.After = redacted(*next)
	if old != nil {
		c.event.Admin.Before = redacted(*old)
	}
	stored, err := c.api.clients.Client(ctx, next.ID)
	if err == nil {
		*next = stored
	} else if !errors.Is(err, storage.ErrNotFound) { // deleted meanwhile: what was done was done
		return grants.Unavailable(err)
	}
	return nil
}

// put writes a client that was read as old. A store that can compare does.
func (a *api) put(ctx context.Context, old *storage.Client, next storage.Client) error {
	var err error
	if swapper, ok := a.clients.(storage.Swapper); ok {
		err = swapper.SwapClient(ctx, old, next)
	} else {
		if old == nil {
			if _, err = a.clients.Client(ctx, next.ID); err == nil {
				return conflict("There is a client with this ID.")
			}
		}
		if old != nil || errors.Is(err, storage.ErrNotFound) {
			err = a.clients.PutClient(ctx, next)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrConflict) && old == nil:
		return conflict("There is a client with this ID.")
	case errors.Is(err, storage.ErrConflict):
		return conflict("The client was changed at the same moment. Try again.")
	}
	return grants.Unavailable(err)
}

// wait takes the turn to change clients in this process.
func (c *act) wait(ctx context.Context) error {
	select {
	case c.api.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return grants.Unavailable(ctx.Err())
	}
}

func (c *act) leave() { <-c.api.turn }

// checkClient tells why the client must not be stored. What it says is about what the administrator sent.
func checkClient(c storage.Client) error {
	err := errors.Join(c.Validate(), checkHashes(c))
	if err == nil {
		return nil
	}
	reasons := strings.Split(err.Error(), "\n")
	for i, r := range reasons {
		reasons[i] = strings.TrimPrefix(r, "storage: client ")
	}
	slices.Sort(reasons)
	return badClient(strings.Join(reasons, "; ")).Because("%w", err)
}
