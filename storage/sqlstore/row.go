package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// columns are the columns of a record, in the order of rowArgs.
const columns = "kind, record_key, state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data, write_id"

// columnCount is the number of names in columns.
const columnCount = 12

// rowArgs appends the values of all columns to args.
func rowArgs(args []any, r *storage.Record, write []byte) ([]any, error) {
	scope, err := encodeList(r.Scope)
	if err != nil {
		return nil, err
	}
	audience, err := encodeList(r.Audience)
	if err != nil {
		return nil, err
	}
	// A nil interface is NULL: the record never expires.
	var expires any
	if !r.ExpiresAt.IsZero() {
		expires = r.ExpiresAt.UnixMicro()
	}
	data := r.Data
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	return append(args,
		string(r.Kind),
		r.Key,
		int64(r.State),
		r.GrantID,
		r.ClientID,
		r.Subject,
		scope,
		audience,
		r.IssuedAt.UnixMicro(),
		expires,
		data,
		write,
	), nil
}

// encodeList returns a list as JSON. The empty list is the empty string, which is
// the most frequent value.
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
	kind     string
	key      string
	state    int64
	grant    string
	client   string
	subject  string
	scope    []byte // a JSON array, or empty
	audience []byte
	issued   int64  // microseconds since 1970
	expires  *int64 // nil means never
	data     []byte
}

// valueColumns are the columns to read of a record whose key is known.
const valueColumns = "state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data"

// values returns where to scan valueColumns.
func (r *stored) values() []any {
	return []any{
		&r.state,
		&r.grant,
		&r.client,
		&r.subject,
		&r.scope,
		&r.audience,
		&r.issued,
		&r.expires,
		&r.data,
	}
}

// keyAndValues returns where to scan kind, record_key and valueColumns.
func (r *stored) keyAndValues() []any {
	return append([]any{&r.kind, &r.key}, r.values()...)
}

// record returns the record of a row. A row that this package did not write is an
// error, and never a record without some of its parts.
func (r *stored) record() (storage.Record, error) {
	rec := storage.Record{
		Kind:     storage.Kind(r.kind),
		Key:      r.key,
		State:    storage.State(r.state),
		GrantID:  r.grant,
		ClientID: r.client,
		Subject:  r.subject,
		IssuedAt: time.UnixMicro(r.issued).UTC(),
	}
	// NULL means that the record never expires.
	if r.expires != nil {
		rec.ExpiresAt = time.UnixMicro(*r.expires).UTC()
	}
	if len(r.data) > 0 {
		rec.Data = r.data
	}
	// A state outside of the range would be compared with others.
	if r.state < int64(storage.Pending) || r.state > int64(storage.Revoked) {
		return storage.Record{}, fmt.Errorf("sqlstore: a stored %s has state %d", r.kind, r.state)
	}
	for _, list := range []struct {
		text []byte
		dest *[]string
	}{{r.scope, &rec.Scope}, {r.audience, &rec.Audience}} {
		// The empty list is the empty string.
		if len(list.text) == 0 {
			continue
		}
		if err := json.Unmarshal(list.text, list.dest); err != nil {
			return storage.Record{}, fmt.Errorf("sqlstore: scope or audience of a stored %s: %w", r.kind, err)
		}
	}
	return rec, nil
}

// repeat returns n copies of text with commas between them.
func repeat(text string, n int) string {
	return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ")
}
