// Package migrate stores the tokens that another authorization server issued, from an
// export in JSON lines.
package migrate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/strictjson"
	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// maxLine bounds one line of an export in bytes, and maxTokens the tokens of one
// grant.
const (
	maxLine   = 1 << 20
	maxTokens = 100
)

// Result counts what was done with the grants of an export. The face has the same
// type and documents its fields.
type Result struct {
	Grants  int
	Tokens  int
	Known   int
	Changed int
	Expired int
}

// grant is one line of an export.
type grant struct {
	Grant     string         `json:"grant"`
	ClientID  string         `json:"client_id"`
	Subject   string         `json:"subject"`
	Scope     string         `json:"scope"`
	Audience  []string       `json:"audience"`
	IssuedAt  time.Time      `json:"issued_at"`
	AuthTime  time.Time      `json:"auth_time"`
	FamilyEnd time.Time      `json:"family_end"`
	Claims    map[string]any `json:"claims"`
	Access    []token        `json:"access"`
	Refresh   []token        `json:"refresh"`
}

// token is an access or refresh token of a grant.
type token struct {
	Stored    string    `json:"stored"`
	Scope     *string   `json:"scope"`
	ExpiresAt time.Time `json:"expires_at"`
	Spent     bool      `json:"spent"`
}

// Tokens stores the grants that r has, one in a line, each with all of its tokens or
// not at all. Form reads what the other server stored of a token. Reserved reports
// which claims a grant must not set. Memory does not grow with the export.
func Tokens(
	ctx context.Context,
	records storage.Records,
	form tokens.Imported,
	reserved func(claim string) bool,
	r io.Reader,
) (Result, error) {
	var res Result
	if v, ok := form.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return res, err
		}
	}

	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		recs, err := read(form, reserved, line, time.Now().UTC())
		if err == nil {
			err = res.store(ctx, records, recs)
		}
		if err != nil {
			return res, fmt.Errorf("line %d: %w", n, err)
		}
	}

	return res, lines.Err()
}

// store writes one grant. The records begin with its mark; there are none if all of
// the grant has expired.
func (res *Result) store(ctx context.Context, records storage.Records, recs []storage.Record) error {
	if len(recs) == 0 {
		res.Expired++
		return nil
	}

	err := records.Insert(ctx, recs...)
	if err == nil {
		res.Grants++
		res.Tokens += len(recs) - 1
		return nil
	}
	if !errors.Is(err, storage.ErrExists) {
		return err
	}

	mark, err := records.Get(ctx, storage.Used, recs[0].Key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errors.New("stored: a token occurs twice, or in another grant")
	case err != nil:
		return err
	case bytes.Equal(mark.Data, recs[0].Data):
		res.Known++
	default:
		res.Changed++
	}

	return nil
}

// read returns the records of a line: the mark that the grant was imported, which
// remembers from which text, and the tokens that are alive.
func read(form tokens.Imported, reserved func(string) bool, line []byte, now time.Time) ([]storage.Record, error) {
	g, err := decode(line)
	if err != nil {
		return nil, err
	}
	base, err := g.record(reserved)
	if err != nil {
		return nil, err
	}

	mark := base
	mark.Kind = storage.Used
	mark.Key = storage.JoinKey("imported grant", g.Grant)
	mark.State = storage.Spent
	mark.Data = []byte(`"` + storage.Key(string(line)) + `"`)
	mark.ExpiresAt = g.end()
	if !now.Before(mark.ExpiresAt) {
		return nil, nil
	}

	recs := []storage.Record{mark}
	for _, list := range []struct {
		kind   storage.Kind
		tokens []token
	}{{storage.Access, g.Access}, {storage.Refresh, g.Refresh}} {
		rec := base
		rec.Kind = list.kind
		if rec.Data, err = g.data(list.kind); err != nil {
			return nil, err
		}
		for _, t := range list.tokens {
			own := rec
			if err := t.fill(&own, form, mark.ExpiresAt); err != nil {
				return nil, fmt.Errorf("%s: %w", list.kind, err)
			}
			if !own.Expired(now) {
				recs = append(recs, own)
			}
		}
	}
	if len(recs) == 1 {
		return nil, nil
	}

	return recs, nil
}

// decode reads a line: one JSON object whose names are known and occur once.
func decode(line []byte) (*grant, error) {
	var g grant
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return nil, fmt.Errorf("not a grant in JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value")
	}

	return &g, strictjson.Check(line, strictjson.Limits{})
}

// end returns the time at which nothing of the grant is alive any more.
func (g *grant) end() time.Time {
	end := g.FamilyEnd
	for _, list := range [2][]token{g.Access, g.Refresh} {
		for _, t := range list {
			if t.ExpiresAt.After(end) {
				end = t.ExpiresAt
			}
		}
	}

	return end.UTC()
}

// data returns what the records of a kind keep.
func (g *grant) data(kind storage.Kind) ([]byte, error) {
	d := record.Data{Claims: g.Claims}
	if !g.AuthTime.IsZero() {
		d.AuthTime = g.AuthTime.Unix()
	}
	if kind == storage.Refresh && !g.FamilyEnd.IsZero() {
		d.FamilyEnd = g.FamilyEnd.Unix()
	}

	return d.Encode()
}

// record returns what the grant's records have in common.
func (g *grant) record(reserved func(string) bool) (storage.Record, error) {
	rec := storage.Record{
		State:    storage.Active,
		GrantID:  storage.JoinKey("imported grant id", g.Grant),
		ClientID: g.ClientID,
		Subject:  g.Subject,
		Scope:    strings.Fields(g.Scope),
		Audience: g.Audience,
		IssuedAt: g.IssuedAt.UTC(),
	}
	switch {
	case g.Grant == "" || g.ClientID == "" || g.Subject == "":
		return rec, errors.New("grant, client_id or subject is missing")
	case g.IssuedAt.IsZero():
		return rec, errors.New("issued_at is missing")
	case len(g.Access) > 0 && len(g.Audience) == 0:
		return rec, errors.New("audience is missing, so that no resource server could ask about the access tokens")
	case len(g.Access)+len(g.Refresh) > maxTokens:
		return rec, fmt.Errorf("more than %d tokens", maxTokens)
	}
	for name := range g.Claims {
		if reserved(name) {
			return rec, fmt.Errorf("claims: %q is set by the server alone", name)
		}
	}

	return rec, checkScope(rec.Scope)
}

// fill writes into a record what the token alone has.
func (t *token) fill(rec *storage.Record, form tokens.Imported, end time.Time) error {
	digest, err := form.Stored(t.Stored)
	if err != nil {
		return fmt.Errorf("stored: %w", err)
	}
	if t.ExpiresAt.IsZero() {
		return errors.New("expires_at is missing")
	}
	rec.Key = storage.ImportedKey(digest)
	rec.ExpiresAt = t.ExpiresAt.UTC()

	if t.Scope != nil {
		rec.Scope = strings.Fields(*t.Scope)
		if err := checkScope(rec.Scope); err != nil {
			return err
		}
	}
	if t.Spent {
		if rec.Kind != storage.Refresh {
			return errors.New("spent: only a refresh token is")
		}
		rec.State = storage.Spent
		rec.ExpiresAt = end // findable as long as anything of the grant is alive
	}

	return nil
}

func checkScope(scope []string) error {
	for _, s := range scope {
		if !storage.ValidScope(s) {
			return fmt.Errorf("scope: %q has characters that RFC 6749 section 3.3 forbids", s)
		}
	}

	return nil
}
