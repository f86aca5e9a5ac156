package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/strictjson"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// object reads a body that is one JSON object or, where that is allowed, empty.
func (c *act) object(limit int64, optional bool) (clientmeta.Document, error) {
	until, _ := c.ctx.Deadline()
	text, err := c.Frame.Body(c.w, c.Request, limit, until)
	if err != nil || text == "" && optional {
		return nil, err
	}
	members, err := strictjson.Members([]byte(text), strictjson.Limits{})
	if err != nil {
		return nil, grants.InvalidRequest("The body is not one JSON object in UTF-8 whose names are there once.").
			For(grants.ReasonMalformed).Because("%w", err)
	}

	return members, nil
}

// limit returns the length of the page that the request asks for.
func (c *act) limit(preset int) (int, error) {
	text := c.Form.Get("limit")
	if text == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, grants.InvalidRequest("The limit is not between 1 and 1000.")
	}

	return n, nil
}

// write answers with the JSON of a value. It escapes nothing for HTML, because that
// would change the text of a client's jwks.
func (c *act) write(status int, value any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	c.reply.Status = status
	c.reply.JSON = b.Bytes()

	return nil
}

// done answers without a body.
func (c *act) done() error {
	c.reply.Status = http.StatusNoContent

	return nil
}

// show answers with a client as it is stored. Plain is a secret that was made for
// this answer, or "".
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
	c.reply.Header = http.Header{"Etag": {tag}}

	return c.write(status, view)
}
