package grantwell

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/strictjson"
)

// object reads a body that is one JSON object, or nothing where that is allowed. Names are taken byte for byte, and each once.
func (c *act) object(limit int64, optional bool) (map[string]json.RawMessage, error) {
	text, err := c.body(limit)
	if err != nil || text == "" && optional {
		return nil, err
	}
	members, err := strictjson.Members([]byte(text), strictjson.Limits{})
	if err != nil {
		return nil, grants.InvalidRequest("The body is not one JSON object in UTF-8 whose names are there once.").Because("%w", err)
	}
	return members, nil
}

// badClient is the error of RFC 7591 section 3.2.2.
func badClient(description string) *grants.Error {
	return &grants.Error{Code: "invalid_client_metadata", Description: description}
}

// limit is how much a page has.
func (c *act) limit(preset int) (int, error) {
	text := c.req.Form.Get("limit")
	if text == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, grants.InvalidRequest("The limit is not between 1 and 1000.")
	}
	return n, nil
}

// write answers with a value's JSON.
func (c *act) write(status int, value any) error {
	text, err := plainJSON(value)
	if err == nil {
		c.json(status, text)
	}
	return err
}

// plainJSON is a value's JSON for who reads JSON: what HTML would need escaped stays as it is, in the keys of clients too.
func plainJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return b.Bytes(), err
}

// done answers that there is nothing to say.
func (c *act) done() error {
	c.event.Status = http.StatusNoContent
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
