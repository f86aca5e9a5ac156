package grantwell

import (
	"encoding/json"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// show answers with a client as it is stored. plain is a secret that was made for this answer, or empty.
func (c *act) show(status int, client *storage.Client, plain string) error {
	tag, err := clientmeta.ETag(client)
	if err != nil {
		return err
	}
	view, err := clientmeta.View(client)
	if err != nil {
		return err
	}
	if plain != "" {
		if view["client_secret"], err = json.Marshal(plain); err != nil {
			return err
		}
	}
	c.w.Header().Set("ETag", tag)
	return c.write(status, view)
}
