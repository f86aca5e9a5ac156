package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/storage"
)

func clientRoutes() []route {
	return []route{
		{"GET /clients", "client.list", []string{"after", "limit"}, listClients},
		{"POST /clients", "client.create", nil, createClient},
		{"GET /clients/{id}", "client.read", nil, readClient},
		{"PUT /clients/{id}", "client.update", nil, updateClient},
		{"DELETE /clients/{id}", "client.delete", nil, deleteClient},
		{"POST /clients/{id}/enable", "client.enable", nil, setDisabled(false)},
		{"POST /clients/{id}/disable", "client.disable", nil, setDisabled(true)},
		{"POST /clients/{id}/revoke", "client.revoke", nil, endTokens},
	}
}

// find reads the client that the path names.
func (c *act) find(ctx context.Context) (storage.Client, error) {
	client, err := c.clients.Client(ctx, c.id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return client, notFound("There is no such client.")
	case err != nil:
		return client, grants.Unavailable(err)
	}
	c.reply.Event.ClientID = client.ID

	return client, nil
}

func listClients(ctx context.Context, c *act) error {
	list, next, err := c.clientPage(ctx, 100)
	if err != nil {
		return err
	}

	out := struct {
		Clients []clientmeta.Document `json:"clients"`
		Next    string                `json:"next,omitempty"`
	}{make([]clientmeta.Document, len(list)), next}
	for i := range list {
		if out.Clients[i], err = clientmeta.View(&list[i]); err != nil {
			return err
		}
	}

	return c.write(http.StatusOK, out)
}

// clientPage reads a page of clients, by ID.
func (c *act) clientPage(ctx context.Context, preset int) (list []storage.Client, next string, err error) {
	limit, err := c.limit(preset)
	if err != nil {
		return nil, "", err
	}
	after := c.Form.Get("after")
	if len(after) > 255 || frame.Printable(after, 255) != strings.NewReplacer(`"`, "", `\`, "").Replace(after) {
		return nil, "", grants.InvalidRequest("after is not the ID of a client.")
	}
	if list, err = c.clients.ListClients(ctx, after, limit); err != nil {
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

	return c.show(http.StatusOK, &client, "")
}

func createClient(ctx context.Context, c *act) error {
	doc, err := c.object(c.Frame.MaxBody, false)
	if err != nil {
		return err
	}
	if err := clientmeta.CheckNew(doc); err != nil {
		return badClient(err)
	}
	client, err := clientmeta.Read(doc)
	if err != nil {
		return badClient(err)
	}

	client.CreatedBy = c.actor
	client.CreatedAt = c.Now.Truncate(time.Millisecond)
	if client.ID == "" {
		client.ID = ids.New()
	} else {
		// Another client may have had this ID, and its tokens may be unexpired still.
		client.TokensNotBefore = client.CreatedAt
	}
	plain := clientmeta.FillCredentials(&client)
	if err := clientmeta.Check(&client); err != nil {
		return badClient(err)
	}

	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if err := c.store(ctx, nil, &client); err != nil {
		return err
	}

	return c.show(http.StatusCreated, &client, plain)
}

func updateClient(ctx context.Context, c *act) error {
	doc, err := c.object(c.Frame.MaxBody, false)
	if err != nil {
		return err
	}
	if c.Request.Header.Get("If-Match") == "" {
		return &grants.Error{
			Code:        "precondition_required",
			Description: "Send If-Match with the ETag of the client that you changed.",
			Status:      http.StatusPreconditionRequired,
			Reason:      grants.ReasonParameter,
		}
	}

	return c.change(ctx, func(old storage.Client) (storage.Client, string, error) {
		next, err := edited(&old, doc)
		if err != nil {
			return old, "", badClient(err)
		}
		return next, clientmeta.FillCredentials(&next), nil
	})
}

// edited returns the client with the members of a document in place of its own.
func edited(old *storage.Client, doc clientmeta.Document) (storage.Client, error) {
	shown, err := clientmeta.View(old)
	if err != nil {
		return storage.Client{}, err
	}
	editable, err := clientmeta.Editable(doc, shown)
	if err != nil {
		return storage.Client{}, err
	}
	next, err := clientmeta.Read(editable)
	if err != nil {
		return next, err
	}
	if next.ID != "" && next.ID != old.ID {
		return next, errors.New("client_id: names another client than the path")
	}

	next.ID = old.ID
	next.Disabled = old.Disabled
	next.CreatedAt = old.CreatedAt
	next.CreatedBy = old.CreatedBy
	next.TokensNotBefore = old.TokensNotBefore
	if next.Method() == old.Method() { // another method begins with new credentials
		next.Secrets = old.Secrets
		next.SharedKey = old.SharedKey
	}

	return next, nil
}

// setDisabled returns the handler of enable or disable. To do either again is no
// error.
func setDisabled(disabled bool) func(ctx context.Context, c *act) error {
	return func(ctx context.Context, c *act) error {
		return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
			client.Disabled = disabled
			return client, "", nil
		})
	}
}

// endTokens ends what the client has. The current millisecond counts as over, because
// stores keep no finer time.
func endTokens(ctx context.Context, c *act) error {
	return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
		client.TokensNotBefore = time.Now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
		return client, "", nil
	})
}

func deleteClient(ctx context.Context, c *act) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	old, err := c.matched(ctx)
	if err != nil {
		return err
	}

	switch err := c.clients.DeleteClient(ctx, c.id); {
	case errors.Is(err, storage.ErrNotFound):
		return notFound("There is no such client.")
	case err != nil:
		return grants.Unavailable(err)
	}
	c.reply.Event.Before = clientmeta.Redact(&old)

	return c.done()
}
