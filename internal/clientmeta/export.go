package clientmeta

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/storage"
)

// ExportFormat names the form of an export, so that another document is not
// taken for one. Its number changes with the meaning of a member.
const ExportFormat = "grantwell.clients.v2"

// MaxExport is how many clients one export may have.
const MaxExport = 1000

// Export is a document of clients as they are stored, hashes included.
type Export struct {
	// Format is [ExportFormat].
	Format string `json:"format"`

	// Secrets says what the document reveals: "hashed", or "plain" if shared
	// keys are in it.
	Secrets string `json:"secrets"`

	// Clients are at most [MaxExport] clients.
	Clients []storage.Client `json:"clients"`

	// Next is where the next page begins; empty if this is the last one.
	Next string `json:"next,omitempty"`
}

// NewExport returns the document of a page of clients. A client with a shared
// key is an error unless plainKeys is set. The key is not left out: a backup
// that lacks a key would be noticed only when it is needed.
func NewExport(clients []storage.Client, next string, plainKeys bool) (Export, error) {
	doc := Export{
		Format:  ExportFormat,
		Secrets: "hashed",
		Clients: []storage.Client{}, // [] in JSON, not null
		Next:    next,
	}
	for i := range clients {
		if len(clients[i].SharedKey) == 0 {
			continue
		}
		if !plainKeys {
			return Export{}, fmt.Errorf("the client %s has a plain shared key", clients[i].ID)
		}
		doc.Secrets = "plain"
	}
	doc.Clients = append(doc.Clients, clients...)
	return doc, nil
}

// OpenExport returns the documents of the clients in an export. An error is
// about the export as a whole.
func OpenExport(doc Document) ([]Document, error) {
	var format string
	if json.Unmarshal(doc["format"], &format) != nil || format != ExportFormat {
		return nil, errors.New("format: is not " + ExportFormat)
	}
	for name := range doc {
		switch name {
		case "format", "secrets", "clients", "next":
		default:
			return nil, fmt.Errorf("%.64q: there is no such member in an export", name)
		}
	}

	var clients []Document
	if json.Unmarshal(doc["clients"], &clients) != nil || clients == nil || len(clients) > MaxExport {
		return nil, fmt.Errorf("clients: is not an array of at most %d clients", MaxExport)
	}
	return clients, nil
}

// ReadAll reads and checks the clients of an export. Each ID occurs once. An
// error names the place of the client in the export and the member.
func ReadAll(docs []Document) ([]storage.Client, error) {
	clients := make([]storage.Client, len(docs))
	seen := make(map[string]bool, len(docs))
	for i, doc := range docs {
		c, err := Read(doc)
		if err == nil {
			err = Check(&c)
		}
		if err == nil && seen[c.ID] {
			err = errors.New("client_id: is in the document twice")
		}
		if err != nil {
			return nil, fmt.Errorf("client %d of the document: %w", i+1, err)
		}
		seen[c.ID] = true
		clients[i] = c
	}
	return clients, nil
}
