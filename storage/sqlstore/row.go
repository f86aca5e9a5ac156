package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// columns of a record, in the order of rowArgs.
const columns = "kind, record_key, state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data, write_id"

// columnCount is the number of columns.
const columnCount = 12

// rowArgs returns the values of all columns.
func rowArgs(args []any, r *storage.Record, write []byte) ([]any, error) {
	scope, err := encodeList(r.Scope)
	if err != nil {
		return nil, err
	}
	audience, err := encodeList(r.Audience)
	if err != nil {
		return nil, err
	}
	var expires any
	if !r.ExpiresAt.IsZero() {
		expires = r.ExpiresAt.UnixMicro()
	}
	data := r.Data
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	return append(args, string(r.Kind), r.Key, int64(r.State), r.GrantID, r.ClientID, r.Subject, scope, audience,
		r.IssuedAt.UnixMicro(), expires, data, write), nil
}

// encodeList writes a list as JSON, and none as nothing.
func encodeList(list []string) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("sqlstore: scope or audience: %w", err)
	}
	return string(b), nil
}

// stored receives the columns of a record that a query reads.
type stored struct {
	kind, key, grant, client, subject string
	state                             int64
	scope, audience                   []byte
	issued                            int64
	expires                           *int64
	data                              []byte
}

// valueColumns are those of a record whose key is known.
const valueColumns = "state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data"

func (r *stored) values() []any {
	return []any{&r.state, &r.grant, &r.client, &r.subject, &r.scope, &r.audience, &r.issued, &r.expires, &r.data}
}

func (r *stored) keyAndValues() []any {
	return append([]any{&r.kind, &r.key}, r.values()...)
}

// record makes the record. A row that this package did not write is an error, never a record with parts missing.
func (r *stored) record() (storage.Record, error) {
	rec := storage.Record{
		Kind: storage.Kind(r.kind), Key: r.key, State: storage.State(r.state), GrantID: r.grant, ClientID: r.client, Subject: r.subject,
		IssuedAt: time.UnixMicro(r.issued).UTC(),
	}
	if r.expires != nil {
		rec.ExpiresAt = time.UnixMicro(*r.expires).UTC()
	}
	if len(r.data) > 0 {
		rec.Data = r.data
	}
	if r.state < int64(storage.Pending) || r.state > int64(storage.Revoked) {
		return storage.Record{}, fmt.Errorf("sqlstore: a stored %s has state %d", r.kind, r.state)
	}
	for _, list := range []struct {
		text []byte
		dest *[]string
	}{{r.scope, &rec.Scope}, {r.audience, &rec.Audience}} {
		if len(list.text) == 0 {
			continue
		}
		if err := json.Unmarshal(list.text, list.dest); err != nil {
			return storage.Record{}, fmt.Errorf("sqlstore: scope or audience of a stored %s: %w", r.kind, err)
		}
	}
	return rec, nil
}

// repeat joins n copies of text by commas.
func repeat(text string, n int) string {
	return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ")
}
