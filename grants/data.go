package grants

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Data is what Grantwell keeps in a record's Data, as JSON with absent members left out.
// One type serves codes, access and refresh tokens, so that what binds a grant (a key, resources,
// details) travels through all of them without a change of any schema.
type Data struct {
	// Of a code: the authorization request.
	RedirectURI      string `json:"redirect_uri,omitempty"`
	RedirectURIGiven bool   `json:"redirect_uri_given,omitempty"` // it was a parameter, so the token request repeats it
	Challenge        string `json:"code_challenge,omitempty"`
	ChallengeMethod  string `json:"code_challenge_method,omitempty"`
	Nonce            string `json:"nonce,omitempty"`

	// Of all: what the grant carries on.
	ID           string            `json:"jti,omitempty"`        // of a signed access token
	GrantType    string            `json:"grant_type,omitempty"` // by which the token was issued
	Claims       map[string]any    `json:"claims,omitempty"`
	Confirmation map[string]string `json:"cnf,omitempty"` // RFC 7800
	Resource     []string          `json:"resource,omitempty"`
	Details      json.RawMessage   `json:"authorization_details,omitempty"` // RFC 9396
	AuthTime     int64             `json:"auth_time,omitempty"`             // Unix seconds
	Consent      int               `json:"consent,omitempty"`               // generation of the consent; 0: none
	FamilyEnd    int64             `json:"family_end,omitempty"`            // Unix seconds: no refresh extends it

	// Of a spent refresh token: the answer to a retry, sealed under a key that only its holder has.
	Retry      []byte `json:"retry,omitempty"`
	RetryUntil int64  `json:"retry_until,omitempty"` // Unix milliseconds
}

// Encode returns the JSON, or nil when there is nothing to say.
func (d Data) Encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("grants: record data: %w", err)
	}
	if string(b) == "{}" {
		return nil, nil
	}
	return b, nil
}

// DecodeData reads a record's Data. An error means that the store holds something that Grantwell did not write.
func DecodeData(r storage.Record) (Data, error) {
	var d Data
	if len(r.Data) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(r.Data, &d); err != nil {
		return d, fmt.Errorf("grants: %s record data: %w", r.Kind, err)
	}
	return d, nil
}

func unix(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

// carry copies into a grant what a code or refresh token hands on.
func (d Data) carry(g *Grant) {
	g.Claims, g.Confirmation, g.Consent = d.Claims, d.Confirmation, d.Consent
	g.AuthTime, g.FamilyEnd = unix(d.AuthTime), unix(d.FamilyEnd)
}
