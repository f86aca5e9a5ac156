package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

const (
	maxDepth   = 16  // of objects and arrays in one another
	maxMembers = 256 // of one object or array
)

var errJSON = errors.New("not a JSON object, or too deep, too wide, or with a member twice")

// parseObject reads one JSON object strictly: valid UTF-8, names compared byte for byte, none twice at any depth
// (RFC 7519 section 4), depth and width bounded, nothing after it. Numbers stay text, as [json.Number].
func parseObject(data []byte) (map[string]any, error) {
	// Decoder.Token alone accepts some texts that are not JSON; Valid does not.
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	return object, nil
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil || depth > maxDepth {
		return nil, errJSON
	}
	switch token {
	case json.Delim('{'):
		object := make(map[string]any)
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, errJSON
			}
			key, _ := name.(string)
			if _, twice := object[key]; twice || len(object) >= maxMembers {
				return nil, errJSON
			}
			if object[key], err = parseValue(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			if len(list) >= maxMembers {
				return nil, errJSON
			}
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	return token, nil
}
