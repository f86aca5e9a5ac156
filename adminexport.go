package grantwell

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// exportClients answers with the clients as they are stored. Nothing is left out silently: a backup that lacks a key
// is found out when it is needed.
func exportClients(ctx context.Context, c *act) error {
	keys := c.req.Form.Get("shared_keys")
	if keys != "" && keys != "include" {
		return grants.InvalidRequest("shared_keys is include, or not sent.")
	}
	list, next, err := c.clientPage(ctx, clientmeta.MaxExport)
	if err != nil {
		return err
	}
	out, err := clientmeta.NewExport(list, next, keys != "")
	if err != nil {
		return conflict(err.Error() + ". Export it with shared_keys=include.")
	}
	return c.write(http.StatusOK, out)
}

// importClients stores the clients of a document. They are all checked before the first is stored.
func importClients(ctx context.Context, c *act) error {
	existing := c.req.Form.Get("existing")
	if existing != "" && existing != "skip" && existing != "replace" {
		return grants.InvalidRequest("existing is skip or replace, or not sent.")
	}
	clients, err := c.imported()
	if err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	before := make([]*storage.Client, len(clients))
	var taken []string
	for i, client := range clients {
		if before[i], err = c.stored(client.ID); err != nil {
			return err
		}
		if before[i] != nil {
			taken = append(taken, client.ID)
		}
	}
	if existing == "" && len(taken) > 0 {
		return conflict("There are clients with these IDs: " + strings.Join(taken, ", "))
	}
	done := 0
	for i, client := range clients {
		if before[i] != nil && existing == "skip" {
			continue
		}
		if err := c.replace(before[i], client); err != nil {
			told := protocol(err)
			told.Description += " Of the clients, " + strconv.Itoa(done) + " were imported."
			return told
		}
		done++
	}
	return c.write(http.StatusOK, struct {
		Imported int `json:"imported"`
		Skipped  int `json:"skipped"`
	}{done, len(clients) - done})
}

// imported reads the body and checks every client in it.
func (c *act) imported() ([]storage.Client, error) {
	members, err := c.object(clientmeta.MaxFile, false)
	if err != nil {
		return nil, err
	}
	docs, err := clientmeta.OpenExport(members)
	if err != nil {
		return nil, grants.InvalidRequest(err.Error())
	}
	clients, err := clientmeta.ReadAll(docs)
	if err != nil {
		return nil, badClient(err.Error()).Because("%w", err)
	}
	return clients, nil
}

// stored is the client that an import would replace; nil: none. Each client of an import has its own time, as
// their number is bounded.
func (c *act) stored(id string) (*storage.Client, error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), c.s.cfg.Timeout)
	defer cancel()
	client, err := c.api.clients.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, grants.Unavailable(err)
	}
	return &client, nil
}

// replace stores one client of an import, and tells of it in an event of its own.
func (c *act) replace(before *storage.Client, client storage.Client) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), c.s.cfg.Timeout)
	defer cancel()
	if err := c.api.put(ctx, before, client); err != nil {
		return err
	}
	e := c.event
	e.ClientID = client.ID
	e.Admin = &AdminAct{Actor: c.actor, Action: "client.import", After: clientmeta.Redact(&client)}
	if before != nil {
		e.Admin.Before = clientmeta.Redact(before)
	}
	c.s.emit(ctx, c.r, e)
	return nil
}
