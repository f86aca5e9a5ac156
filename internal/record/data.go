// Package record is the format of what the server keeps in the data of a stored
// record: one document for authorization codes, access tokens and refresh tokens.
//
// What binds a grant travels through all of them without a change of any schema.
// A specification keeps its own part under its name: see [Kept].
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/internal/base/jsonenc"
	"github.com/grantwell/grantwell/storage"
)

// Data is the document. In JSON, members that are empty are left out.
type Data struct {
	// The authorization request that an authorization code answers.
	RedirectURI      string `json:"redirect_uri,omitempty"`
	RedirectURIGiven bool   `json:"redirect_uri_given,omitempty"` // the token request must repeat it
	Challenge        string `json:"code_challenge,omitempty"`
	ChallengeMethod  string `json:"code_challenge_method,omitempty"`
	Nonce            string `json:"nonce,omitempty"`

	// What codes and tokens have in common.
	ID           string            `json:"jti,omitempty"`        // of a signed access token
	GrantType    string            `json:"grant_type,omitempty"` // by which the token was issued
	Claims       map[string]any    `json:"claims,omitempty"`
	Confirmation map[string]string `json:"cnf,omitempty"`        // RFC 7800
	AuthTime     int64             `json:"auth_time,omitempty"`  // Unix seconds
	Consent      int64             `json:"consent,omitempty"`    // generation of the consent; 0: none
	FamilyEnd    int64             `json:"family_end,omitempty"` // Unix seconds: no refresh extends it

	// A spent refresh token keeps the answer to a retry, sealed under a key that
	// only the holder of the token has.
	Retry      []byte `json:"retry,omitempty"`
	RetryUntil int64  `json:"retry_until,omitempty"` // Unix milliseconds

	Kept Kept `json:"kept,omitempty"`
}

// The lists below name each member once, beside its place. Encode, empty and the
// fast path of Decode all go by them.

type textMember struct {
	name string
	at   *string
}

func (d *Data) texts() [6]textMember {
	return [...]textMember{
		{"redirect_uri", &d.RedirectURI},
		{"code_challenge", &d.Challenge},
		{"code_challenge_method", &d.ChallengeMethod},
		{"nonce", &d.Nonce},
		{"jti", &d.ID},
		{"grant_type", &d.GrantType},
	}
}

type numberMember struct {
	name string
	at   *int64
}

func (d *Data) numbers() [4]numberMember {
	return [...]numberMember{
		{"auth_time", &d.AuthTime},
		{"consent", &d.Consent},
		{"family_end", &d.FamilyEnd},
		{"retry_until", &d.RetryUntil},
	}
}

const givenMember = "redirect_uri_given"

// Encode returns the document, or nil if all of it is empty.
func (d *Data) Encode() ([]byte, error) {
	if d.empty() {
		return nil, nil
	}

	size := 160 + len(d.RedirectURI) + len(d.Challenge) + len(d.Nonce) + len(d.Retry)*4/3 + len(d.Kept)
	o := jsonenc.Object{Text: make([]byte, 0, size)}

	texts := d.texts()
	for i := range texts {
		if *texts[i].at != "" {
			o.String(texts[i].name, *texts[i].at)
		}
	}
	if d.RedirectURIGiven {
		o.Bool(givenMember, true)
	}
	numbers := d.numbers()
	for i := range numbers {
		if *numbers[i].at != 0 {
			o.Int(numbers[i].name, *numbers[i].at)
		}
	}
	if err := d.encodeObjects(&o); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}

	return o.End(), nil
}

// encodeObjects writes the members that are no text, number or bool. The kept part
// is last, where the fast path of Decode finds it.
func (d *Data) encodeObjects(o *jsonenc.Object) error {
	var errs [3]error
	if len(d.Claims) > 0 {
		errs[0] = o.Value("claims", d.Claims)
	}
	if len(d.Confirmation) > 0 {
		errs[1] = o.Value("cnf", d.Confirmation)
	}
	if len(d.Retry) > 0 {
		o.Bytes("retry", d.Retry)
	}
	if len(d.Kept) > 0 {
		errs[2] = o.Value(keptMember, json.RawMessage(d.Kept))
	}

	return errors.Join(errs[:]...)
}

// empty reports whether Encode has nothing to write.
func (d *Data) empty() bool {
	texts := d.texts()
	for i := range texts {
		if *texts[i].at != "" {
			return false
		}
	}
	numbers := d.numbers()
	for i := range numbers {
		if *numbers[i].at != 0 {
			return false
		}
	}

	return !d.RedirectURIGiven && len(d.Claims) == 0 && len(d.Confirmation) == 0 &&
		len(d.Retry) == 0 && len(d.Kept) == 0
}

// Decode reads a record's data. An error means that the store holds something that
// the server did not write.
func Decode(r storage.Record) (Data, error) {
	if len(r.Data) == 0 {
		return Data{}, nil
	}
	if d, ok := decodePlain(string(r.Data)); ok {
		return d, nil
	}

	var d Data
	if err := json.Unmarshal(r.Data, &d); err != nil {
		return d, fmt.Errorf("record: data of a %s record: %w", r.Kind, err)
	}

	return d, nil
}

// Time returns the time of Unix seconds in a document; 0 is the zero time.
func Time(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}

	return time.Unix(sec, 0).UTC()
}
