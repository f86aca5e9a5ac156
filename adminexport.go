package grantwell

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// exportFormat names the document, so that another one is not taken for it.
const exportFormat = "grantwell.clients.v1"

// maxPage bounds how many clients a page, and a document, has.
const maxPage = 1000

// exported is a document of clients: what an export answers and an import takes.
type exported struct {
	Format string `json:"format"`
	// Secrets says what the document gives away: "hashed", or "plain" if shared keys are in it.
	Secrets string           `json:"secrets"`
	Clients []storage.Client `json:"clients"`
	Next    string           `json:"next,omitempty"`
}

// exportClients answers with the clients as they are stored. Nothing is left out silently: a backup that lacks a key
// is found out when it is needed.
func exportClients(ctx context.Context, c *act) error {
	keys := c.req.Form.Get("shared_keys")
	if keys != "" && keys != "include" {
		return grants.InvalidRequest("shared_keys is include, or not sent.")
	}
	list, next, err := c.clientPage(ctx, maxPage)
	if err != nil {
		return err
	}
	out := exported{Format: exportFormat, Secrets: "hashed", Clients: list, Next: next}
	if list == nil {
		out.Clients = []storage.Client{}
	}
	for _, client := range list {
		if len(client.SharedKey) == 0 {
			continue
		}
		if keys == "" {
			return conflict("The client " + client.ID + " has a plain shared key. Export it with shared_keys=include.")
		}
		out.Secrets = "plain"
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
	members, err := c.object(maxClientsFile, false)
	if err != nil {
		return nil, err
	}
	var format string
	if json.Unmarshal(members["format"], &format) != nil || format != exportFormat {
		return nil, grants.InvalidRequest("The document's format is not " + exportFormat + ".")
	}
	for name := range members {
		switch name {
		case "format", "secrets", "clients", "next":
		default:
			return nil, grants.InvalidRequest("The document has a member that is not known: " + printable(name, 64))
		}
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(members["clients"], &list) != nil || len(list) > maxPage {
		return nil, grants.InvalidRequest("The member clients is not a list of at most 1000 clients.")
	}
	clients, seen := make([]storage.Client, len(list)), make(map[string]bool)
	for i, members := range list {
		client, err := clientmeta.Read(members)
		if err != nil {
			err = badClient(err.Error()).Because("%w", err)
		} else {
			err = checkClient(client)
		}
		if err != nil {
			told := protocol(err)
			told.Description = "Client " + strconv.Itoa(i+1) + " of the document: " + told.Description
			return nil, told
		}
		if seen[client.ID] {
			return nil, badClient("The client " + client.ID + " is in the document twice.")
		}
		clients[i], seen[client.ID] = client, true
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
