package admin

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

func exportRoutes() []route {
	return []route{
		{"GET /export", "registry.export", []string{"after", "limit", "shared_keys"}, exportClients},
		{"POST /import", "registry.import", []string{"existing"}, importClients},
	}
}

// exportClients answers with the clients as they are stored. It never leaves a key
// out: a backup that lacks one would be noticed only when it is needed.
func exportClients(ctx context.Context, c *act) error {
	keys := c.Form.Get("shared_keys")
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

// importClients stores the clients of a document. All of them are checked before the
// first is stored.
func importClients(ctx context.Context, c *act) error {
	existing := c.Form.Get("existing")
	if existing != "" && existing != "skip" && existing != "replace" {
		return grants.InvalidRequest("existing is skip or replace, or not sent.")
	}
	clients, err := c.imported()
	if err != nil {
		return err
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()

	before := make([]*storage.Client, len(clients))
	var taken []string
	for i := range clients {
		if before[i], err = c.stored(clients[i].ID); err != nil {
			return err
		}
		if before[i] != nil {
			taken = append(taken, clients[i].ID)
		}
	}
	if existing == "" && len(taken) > 0 {
		return conflict("There are clients with these IDs: " + strings.Join(taken, ", "))
	}

	done := 0
	for i := range clients {
		if before[i] != nil && existing == "skip" {
			continue
		}
		if err := c.replace(before[i], &clients[i]); err != nil {
			e := grants.ErrorOf(err)
			e.Description += " Of the clients, " + strconv.Itoa(done) + " were imported."
			return e
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
		return nil, badClient(err)
	}

	return clients, nil
}

// stored returns the client that an import would replace; nil: none. Each client of
// an import has its own time, because their number is bounded.
func (c *act) stored(id string) (*storage.Client, error) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), c.Frame.Timeout)
	defer cancel()

	client, err := c.clients.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, grants.Unavailable(err)
	}

	return &client, nil
}

// replace stores one client of an import, and reports it in an event of its own.
func (c *act) replace(before, client *storage.Client) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), c.Frame.Timeout)
	defer cancel()
	if err := c.put(ctx, before, client); err != nil {
		return err
	}

	e := c.reply.Event
	e.Time = c.Now
	e.Endpoint = c.name
	e.Status = http.StatusOK
	e.ClientID = client.ID
	e.Action = "client.import"
	e.After = clientmeta.Redact(client)
	if before != nil {
		e.Before = clientmeta.Redact(before)
	}
	c.Frame.Events.Emit(ctx, c.Request, &e)

	return nil
}
