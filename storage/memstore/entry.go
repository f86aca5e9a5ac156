package memstore

import (
	"encoding/binary"
	"strings"
	"time"
	"unique"

	"github.com/grantwell/grantwell/storage"
)

// entry is a stored record. id never changes; value and pos are guarded by the lock of the record's shard,
// next and prev by that of the shard which keeps the grant's list. Who changes value.family holds both.
type entry struct {
	id         id
	pos        int32 // in the shard's expiry heap; -1: not in it
	next, prev ref
	value
}

// value is what of a record may change. It shares no memory with a caller, and nothing in it is written through:
// a copy made under the lock can be read without it.
type value struct {
	family          *family // nil: the record has no grant
	shape           unique.Handle[shape]
	subject         string // if own; otherwise it is the family's
	issued, expires int64  // microseconds since 1970
	data            string
	state           storage.State
	own             bool
}

// shape is what many records have in common: few different ones exist, and one pointer stands for all of it.
type shape struct {
	client          string
	scope, audience list
}

// family is a grant's list of records. All but head never changes.
type family struct {
	text string // the ID, and the subject of the first record: the others nearly always have the same
	id   uint32 // the length of the ID
	head ref
	home uint8 // the shard that keeps the list and guards it
}

func (f *family) name() string { return f.text[:f.id] }

func (f *family) subject() string { return f.text[f.id:] }

func (f *family) shardSet() shardSet {
	if f == nil {
		return 0
	}
	return 1 << f.home
}

// never is how the zero ExpiresAt is kept.
var never = time.Time{}.UnixMicro()

// pack fills an entry with rec, complete but for family and subject, which join adds under the locks.
func (s *Store) pack(e *entry, rec *storage.Record, like *entry) error {
	if err := rec.Validate(); err != nil {
		return err
	}
	kind, ok := s.kinds.number(rec.Kind)
	if !ok {
		return errKinds
	}
	*e = entry{
		id:  newID(kind, rec.Key),
		pos: -1,
		value: value{
			shape:   shapeOf(rec, like),
			issued:  rec.IssuedAt.UnixMicro(),
			expires: rec.ExpiresAt.UnixMicro(),
			data:    string(rec.Data),
			state:   rec.State,
		},
	}
	return nil
}

// unpack returns the record as a caller may keep and change it.
func (v *value) unpack(kind storage.Kind, key string) storage.Record {
	sh := v.shape.Value()
	rec := storage.Record{
		Kind: kind, Key: key, State: v.state,
		ClientID: sh.client, Subject: v.who(),
		Scope: sh.scope.unpack(), Audience: sh.audience.unpack(),
		IssuedAt: time.UnixMicro(v.issued).UTC(), ExpiresAt: time.UnixMicro(v.expires).UTC(),
	}
	if v.family != nil {
		rec.GrantID = v.family.name()
	}
	if v.data != "" {
		rec.Data = []byte(v.data)
	}
	return rec
}

// who is the subject.
func (v *value) who() string {
	if v.own {
		return v.subject
	}
	return v.family.subject()
}

// is sets the subject.
func (v *value) is(subject string) {
	v.subject, v.own = "", v.family == nil || v.family.subject() != subject
	if v.own {
		v.subject = strings.Clone(subject)
	}
}

// join puts the entry on the list of its grant and gives it its subject. The list's shard is locked.
func (s *Store) join(r ref, grantID, subject string) {
	e := s.at(r)
	if grantID == "" {
		e.is(subject)
		return
	}
	home := s.home(grantID)
	families := s.shards[home].families
	f := families[grantID]
	if f == nil {
		f = &family{text: grantID + subject, id: uint32(len(grantID)), home: home}
		families[f.name()] = f
	}
	e.family, e.next, e.prev = f, f.head, 0
	e.is(subject)
	if f.head != 0 {
		s.at(f.head).prev = r
	}
	f.head = r
}

// leave takes the entry off its grant's list, and forgets the list with its last entry.
func (s *Store) leave(r ref) {
	e := s.at(r)
	f := e.family
	if f == nil {
		return
	}
	if e.next != 0 {
		s.at(e.next).prev = e.prev
	}
	if e.prev != 0 {
		s.at(e.prev).next = e.next
	} else if f.head = e.next; f.head == 0 {
		delete(s.shards[f.home].families, f.name())
	}
	e.family, e.next, e.prev = nil, 0, 0
}

// shapeOf returns the record's shape: that of like, if it is not nil, when they are the same, as those of one write nearly always are.
func shapeOf(rec *storage.Record, like *entry) unique.Handle[shape] {
	if like != nil {
		if sh := like.shape.Value(); sh.client == rec.ClientID && sh.scope.is(rec.Scope) && sh.audience.is(rec.Audience) {
			return like.shape
		}
	}
	return unique.Make(shape{rec.ClientID, packList(rec.Scope), packList(rec.Audience)})
}

// list is a list of strings that can be compared: the only element, or all of them, each behind its length.
type list struct {
	packed string
	n      int
}

func packList(l []string) list {
	if len(l) == 1 {
		return list{l[0], 1}
	}
	var b []byte
	for _, s := range l {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return list{string(b), len(l)}
}

// is tells whether l is the packed form of v, for lists of no more than one string; it may say no where it is yes.
func (l list) is(v []string) bool {
	return len(v) == l.n && (l.n == 0 || l.n == 1 && l.packed == v[0])
}

func (l list) unpack() []string {
	switch l.n {
	case 0:
		return nil
	case 1:
		return []string{l.packed}
	}
	out, rest := make([]string, l.n), l.packed
	for i := range out {
		out[i], rest = cutElement(rest)
	}
	return out
}

func cutElement(s string) (element, rest string) {
	var size, shift int
	for i := range len(s) {
		size |= int(s[i]&0x7f) << shift
		if s[i] < 0x80 {
			s = s[i+1:]
			return s[:size], s[size:]
		}
		shift += 7
	}
	return "", ""
}
