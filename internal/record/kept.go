package record

import (
	"encoding/json"
	"fmt"
)

const keptMember = "kept"

// Kept is what specifications keep with a grant: a JSON object with one member for
// each specification, under its name. It travels from the authorization request
// through the code and each refresh token to the access token as it is; only the
// specification that asks for its member parses it.
type Kept []byte

// MarshalJSON implements [json.Marshaler].
func (k Kept) MarshalJSON() ([]byte, error) { return json.RawMessage(k).MarshalJSON() }

// UnmarshalJSON implements [json.Unmarshaler].
func (k *Kept) UnmarshalJSON(b []byte) error {
	*k = append((*k)[:0], b...)
	return nil
}

// Member returns what the specification of this name kept, or nil. An error means
// that the store holds something that the server did not write.
func (k Kept) Member(name string) (json.RawMessage, error) {
	all, err := k.members()
	return all[name], err
}

// With returns a copy in which the specification of this name keeps value; nil
// removes its member.
func (k Kept) With(name string, value json.RawMessage) (Kept, error) {
	all, err := k.members()
	if err != nil {
		return nil, err
	}
	if value == nil {
		delete(all, name)
	} else {
		all[name] = value
	}
	if len(all) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("record: kept: %w", err)
	}

	return text, nil
}

func (k Kept) members() (map[string]json.RawMessage, error) {
	all := make(map[string]json.RawMessage)
	if len(k) == 0 {
		return all, nil
	}
	if err := json.Unmarshal(k, &all); err != nil {
		return nil, fmt.Errorf("record: kept: %w", err)
	}

	return all, nil
}
