package grantwell

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/clientmeta"
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

func (c *act) clientPage(ctx context.Context, preset int) (list []storage.Client, next string, err error) {
	limit, err := c.limit(preset)
	if err != nil {
		return nil, "", err
	}
	after := c.req.Form.Get("after")
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
	return c.show(http.StatusOK, &client, "")
}

func createClient(ctx context.Context, c *act) error {
	members, err := c.object(c.s.cfg.MaxBody, false)
	if err != nil {
		return err
	}
	if err := clientmeta.CheckNew(members); err != nil {
		return badClient(err.Error())
	}
	client, err := clientmeta.Read(members)
	if err != nil {
		return badClient(err.Error()).Because("%w", err)
	}
	client.CreatedBy, client.CreatedAt = c.actor, c.req.Now.Truncate(time.Millisecond)
	if client.ID == "" {
		client.ID = newID()
	} else {
		// Somebody else may have had this ID, and something of theirs may be unexpired still.
		client.TokensNotBefore = client.CreatedAt
	}
	plain := clientmeta.FillCredentials(&client)
	if err := checkClient(&client); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	if err := c.store(ctx, nil, &client); err != nil {
		return err
	}
	return c.show(http.StatusCreated, &client, plain)
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
		view, err := clientmeta.View(&old)
		if err != nil {
			return old, "", err
		}
		sent, err := clientmeta.Editable(members, view)
		if err != nil {
			return old, "", badClient(err.Error())
		}
		next, err := clientmeta.Read(sent)
		if err != nil {
			return old, "", badClient(err.Error()).Because("%w", err)
		}
		if next.ID != "" && next.ID != old.ID {
			return old, "", badClient("The member client_id names another client than the path.")
		}
		next.ID, next.Disabled, next.CreatedAt, next.CreatedBy, next.TokensNotBefore = old.ID, old.Disabled, old.CreatedAt, old.CreatedBy, old.TokensNotBefore
		if next.Method() == old.Method() { // another method starts with new credentials
			next.Secrets, next.SharedKey = old.Secrets, old.SharedKey
		}
		return next, clientmeta.FillCredentials(&next), nil
	})
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
	c.event.Admin.Before = clientmeta.Redact(&old)
	return c.done()
}
