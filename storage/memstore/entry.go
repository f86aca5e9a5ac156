package memstore

import (
	"strings"
	"time"
	"unique"

	"github.com/grantwell/grantwell/storage"
)

// never is the stored form of the zero ExpiresAt.
var never = time.Time{}.UnixMicro()

// entry is a stored record.
//
// The id never changes. The lock of the record's shard guards value and queued.
// The lock of the grant's home guards next and prev. A writer that changes
// value.family holds both.
type entry struct {
	id     id
	queued bool // it is in the expiry heap of its shard

	next, prev ref // the neighbours in the list of the grant
	value
}

// value is the part of a record that may change. It shares no memory with a
// caller, and its strings are never written to.
type value struct {
	shape   unique.Handle[shape]
	subject string // empty unless ownSubject
	data    string

	issued  int64 // microseconds since 1970
	expires int64 // microseconds since 1970, or never

	family ref // 0 if the record has no grant
	state  storage.State

	// ownSubject is set if the record's subject differs from its family's, or
	// if it has no family.
	ownSubject bool
}

// shape is the part of a record that many records have in common. Each distinct
// shape is stored once, and its records hold one pointer to it.
type shape struct {
	client   string
	scope    packedList
	audience packedList
}

// snapshot is a copy of a value that is read after its lock was released. The
// place of its family may belong to another grant by then, so the texts of the
// family are copied too.
type snapshot struct {
	value
	grant   string
	subject string
}

// snapshot copies a value. The record's shard is locked.
func (s *Store) snapshot(v *value) snapshot {
	out := snapshot{
		value:   *v,
		subject: s.subjectOf(v),
	}
	if v.family != 0 {
		out.grant = s.family(v.family).grantID()
	}
	return out
}

// subjectOf returns the subject of a record. Its shard is locked.
func (s *Store) subjectOf(v *value) string {
	if v.ownSubject {
		return v.subject
	}
	return s.family(v.family).subject()
}

// setSubject sets the subject of an entry whose family is set already.
func (s *Store) setSubject(e *entry, subject string) {
	e.subject = ""
	e.ownSubject = e.family == 0 || s.family(e.family).subject() != subject
	if e.ownSubject {
		e.subject = strings.Clone(subject) // the caller's text may be a part of a large one
	}
}

// pack fills an entry from a record, before any lock is taken. The family and
// the subject are set by join under the locks, shape and data by fill.
func (s *Store) pack(e *entry, rec *storage.Record) error {
	if err := rec.Validate(); err != nil {
		return err
	}
	kind, ok := s.kinds.number(rec.Kind)
	if !ok {
		return errKinds
	}
	*e = entry{
		id: newID(kind, rec.Key),
		value: value{
			issued:  rec.IssuedAt.UnixMicro(),
			expires: rec.ExpiresAt.UnixMicro(),
			state:   rec.State,
		},
	}
	return nil
}

// fill sets shape and data, which a record often has in common with another
// one: the record before it in the same write, or the one that it replaces.
// That one is like, or nil. Comparing with it is faster than package unique.
func (v *value) fill(rec *storage.Record, like *value) {
	v.shape = shapeOf(rec, like)
	if like != nil && like.data == string(rec.Data) {
		v.data = like.data
	} else {
		v.data = string(rec.Data)
	}
}

// shapeOf returns the shape of a record, taken from like if it has the same one.
func shapeOf(rec *storage.Record, like *value) unique.Handle[shape] {
	if like != nil {
		sh := like.shape.Value()
		if sh.client == rec.ClientID && sh.scope.equals(rec.Scope) && sh.audience.equals(rec.Audience) {
			return like.shape
		}
	}
	return unique.Make(shape{
		client:   rec.ClientID,
		scope:    packList(rec.Scope),
		audience: packList(rec.Audience),
	})
}

// unpack returns a record that the caller may keep and change.
func (v *snapshot) unpack(kind storage.Kind, key string) storage.Record {
	sh := v.shape.Value()
	rec := storage.Record{
		Kind:      kind,
		Key:       key,
		State:     v.state,
		GrantID:   v.grant,
		ClientID:  sh.client,
		Subject:   v.subject,
		Scope:     sh.scope.unpack(),
		Audience:  sh.audience.unpack(),
		IssuedAt:  time.UnixMicro(v.issued).UTC(),
		ExpiresAt: time.UnixMicro(v.expires).UTC(),
	}
	if v.data != "" {
		rec.Data = []byte(v.data)
	}
	return rec
}
