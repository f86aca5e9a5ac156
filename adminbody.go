package grantwell

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/grantwell/grantwell/grants"
)

// object reads a body that is one JSON object, or nothing where that is allowed. Names are taken byte for byte, and each once.
func (c *act) object(limit int64, optional bool) (map[string]json.RawMessage, error) {
	text, err := c.body(limit)
	if err != nil || text == "" && optional {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := strictJSON(text, &members); err != nil || members == nil {
		return nil, grants.InvalidRequest("The body is not one JSON object in UTF-8 whose names are there once.").Because("%w", err)
	}
	return members, nil
}

// strictJSON reads one value and nothing behind it.
func strictJSON(text string, into any) error {
	if !utf8.ValidString(text) {
		return errors.New("grantwell: not UTF-8")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("grantwell: text behind the JSON value")
	}
	dec = json.NewDecoder(strings.NewReader(text))
	dec.UseNumber() // a number of any size is JSON
	return namesOnce(dec)
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
