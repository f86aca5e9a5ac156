package grantwell

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

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/strictjson"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// maxImportLine bounds one line of an export in bytes, and maxImportTokens the tokens of one grant.
const (
	maxImportLine   = 1 << 20
	maxImportTokens = 100
)

// ImportResult counts what [ImportTokens] did with the grants that it read.
type ImportResult struct {
	Grants  int // stored now
	Tokens  int // stored now, of these grants
	Known   int // grants that an earlier run stored from the same line; left as they are by now
	Changed int // grants that an earlier run stored from another line; left as they are by now
	Expired int // grants without a token that is alive
}

// importedGrant is one line of an export.
type importedGrant struct {
	Grant     string          `json:"grant"`
	ClientID  string          `json:"client_id"`
	Subject   string          `json:"subject"`
	Scope     string          `json:"scope"`
	Audience  []string        `json:"audience"`
	IssuedAt  time.Time       `json:"issued_at"`
	AuthTime  time.Time       `json:"auth_time"`
	FamilyEnd time.Time       `json:"family_end"`
	Claims    map[string]any  `json:"claims"`
	Access    []importedToken `json:"access"`
	Refresh   []importedToken `json:"refresh"`
}

// importedToken is an access or refresh token in it.
type importedToken struct {
	Stored    string    `json:"stored"`
	Scope     *string   `json:"scope"`
	ExpiresAt time.Time `json:"expires_at"`
	Spent     bool      `json:"spent"`
}

// ImportTokens stores the tokens that another server issued, from an export in JSON lines: one line of at most 1 MiB for
// each grant, that is for one authorization with all that was issued from it. See "Moving from another server" above for
// when to do it. A line has the members
//
//   - grant: what names the grant at the other server; any unique text
//   - client_id, subject, scope (separated by spaces), audience (an array: the resource servers that the tokens are meant for,
//     or the issuer, which is what tokens of this server have by default)
//   - issued_at; and, if known, auth_time: RFC 3339
//   - family_end: when no refresh helps any more; absent: with the refresh token that is used first
//   - claims: an object that is stored with the tokens
//   - access, refresh: arrays of {"stored", "expires_at"}, at most 100 together; stored is what the other server stored of the
//     token, as form reads it. An access token of narrower scope has its own "scope". A refresh token
//     that was used already has "spent": true, so that whoever uses it again ends the grant.
//
// Each grant is stored with all of its tokens or not at all. A run that was cut off is repeated with the same file: what is
// stored stays as it is, revocations included. Other members, a name that occurs twice and malformed
// values end the run with an error that names the line; what was counted before it is stored. Memory does not grow with the file.
func ImportTokens(ctx context.Context, records storage.Records, form tokens.Imported, r io.Reader) (ImportResult, error) {
	var res ImportResult
	if v, ok := form.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return res, fmt.Errorf("grantwell: import: %w", err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxImportLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		recs, err := readGrant(form, line, nowUTC())
		if err == nil {
			err = res.store(ctx, records, recs)
		}
		if err != nil {
			return res, fmt.Errorf("grantwell: import: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return res, fmt.Errorf("grantwell: import: %w", err)
	}
	return res, nil
}

// store writes one grant; recs begin with its mark, or are empty if all of it has expired.
func (res *ImportResult) store(ctx context.Context, records storage.Records, recs []storage.Record) error {
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

// readGrant returns the records of a line: the mark that the grant was imported, which remembers from what, and the tokens.
func readGrant(form tokens.Imported, line []byte, now time.Time) ([]storage.Record, error) {
	var g importedGrant
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return nil, fmt.Errorf("not a grant in JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value")
	}
	if err := strictjson.Check(line, strictjson.Limits{}); err != nil {
		return nil, err
	}
	base, d, err := g.record()
	if err != nil {
		return nil, err
	}
	mark := base
	mark.Kind, mark.Key, mark.State = storage.Used, storage.JoinKey("imported grant", g.Grant), storage.Spent
	mark.Data = []byte(`"` + storage.Key(string(line)) + `"`)
	mark.ExpiresAt = g.end()
	if !now.Before(mark.ExpiresAt) {
		return nil, nil
	}
	recs := []storage.Record{mark}
	for kind, list := range map[storage.Kind][]importedToken{storage.Access: g.Access, storage.Refresh: g.Refresh} {
		if kind == storage.Refresh && !g.FamilyEnd.IsZero() {
			d.FamilyEnd = g.FamilyEnd.Unix()
		}
		for _, t := range list {
			rec := base
			rec.Kind = kind
			if rec.Data, err = d.Encode(); err != nil {
				return nil, err
			}
			if err := t.fill(&rec, form, mark.ExpiresAt); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			if !rec.Expired(now) {
				recs = append(recs, rec)
			}
		}
		d.FamilyEnd = 0
	}
	if len(recs) == 1 {
		return nil, nil
	}
	return recs, nil
}

// end is when nothing of the grant is alive.
func (g importedGrant) end() time.Time {
	end := g.FamilyEnd
	for _, list := range [2][]importedToken{g.Access, g.Refresh} {
		for _, t := range list {
			if t.ExpiresAt.After(end) {
				end = t.ExpiresAt
			}
		}
	}
	return end.UTC()
}

// record returns what the grant's records have in common.
func (g importedGrant) record() (storage.Record, grants.Data, error) {
	rec := storage.Record{State: storage.Active, GrantID: storage.JoinKey("imported grant id", g.Grant), ClientID: g.ClientID, Subject: g.Subject,
		Scope: strings.Fields(g.Scope), Audience: g.Audience, IssuedAt: g.IssuedAt.UTC()}
	d := grants.Data{Claims: g.Claims}
	if !g.AuthTime.IsZero() {
		d.AuthTime = g.AuthTime.Unix()
	}
	switch {
	case g.Grant == "" || g.ClientID == "" || g.Subject == "":
		return rec, d, errors.New("grant, client_id or subject is missing")
	case g.IssuedAt.IsZero():
		return rec, d, errors.New("issued_at is missing")
	case len(g.Access) > 0 && len(g.Audience) == 0:
		return rec, d, errors.New("audience is missing, so that no resource server could ask about the access tokens")
	case len(g.Access)+len(g.Refresh) > maxImportTokens:
		return rec, d, fmt.Errorf("more than %d tokens", maxImportTokens)
	}
	for name := range g.Claims {
		if registered[strings.ToLower(name)] {
			return rec, d, fmt.Errorf("claims: %q is none of the host's", name)
		}
	}
	return rec, d, checkScope(rec.Scope)
}

// fill writes what is the token's own into its record.
func (t importedToken) fill(rec *storage.Record, form tokens.Imported, end time.Time) error {
	digest, err := form.Stored(t.Stored)
	if err != nil {
		return fmt.Errorf("stored: %w", err)
	}
	rec.Key, rec.ExpiresAt = storage.ImportedKey(digest), t.ExpiresAt.UTC()
	if t.ExpiresAt.IsZero() {
		return errors.New("expires_at is missing")
	}
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
		rec.State, rec.ExpiresAt = storage.Spent, end // findable as long as anything of the grant lives
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
