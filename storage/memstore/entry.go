package memstore

import (
	"encoding/binary"
	"strings"
	"time"
	"unique"

	"github.com/grantwell/grantwell/storage"
)

// entry is a stored record. id never changes; value and queued are guarded by the lock of the record's shard,
// next and prev by that of the shard which keeps the grant's list. Who changes value.family holds both.
type entry struct {
	id         id
	queued     bool // it is in the shard's expiry heap
	next, prev ref
	value
}

// value is what of a record may change. It shares no memory with a caller, and nothing in it is written through.
type value struct {
	shape           unique.Handle[shape]
	subject         string // if own; otherwise it is the family's
	data            string
	issued, expires int64 // microseconds since 1970
	family          ref   // 0: the record has no grant
	state           storage.State
	own             bool
}

// seen is a value as it was found under the lock of its record's shard, and is read without it. The family is another's as
// soon as that lock is given up, so that what it says is here.
type seen struct {
	value
	grant, who string
}

func (s *Store) see(v *value) seen {
	out := seen{value: *v, who: s.who(v)}
	if v.family != 0 {
		out.grant = s.family(v.family).name()
	}
	return out
}

// who is the subject.
func (s *Store) who(v *value) string {
	if v.own {
		return v.subject
	}
	return s.family(v.family).subject()
}

// shape is what many records have in common: few different ones exist, and one pointer stands for all of it.
type shape struct {
	client          string
	scope, audience list
}

// family is a grant's list of records, in the shard that guards it. All but head and twin stays as it is until the last record
// has left: who holds the shard of one of its records may read its text.
type family struct {
	text string // the ID, and the subject of the first record: the others nearly always have the same
	hash uint64 // of the ID
	id   uint32 // the length of the ID
	head ref
	twin ref // the next family whose ID has the same hash
}

func (f *family) name() string { return f.text[:f.id] }

func (f *family) subject() string { return f.text[f.id:] }

// find returns the grant's list, whose shard is locked; 0 if there is none.
func (s *Store) find(hash uint64, grantID string) ref {
	r := s.shards[home(hash)].grants[hash]
	for r != 0 && s.family(r).name() != grantID {
		r = s.family(r).twin
	}
	return r
}

// begin makes a list for a grant that has none. Its shard is locked.
func (s *Store) begin(hash uint64, grantID, subject string) ref {
	sh := &s.shards[home(hash)]
	r := sh.families.take(home(hash))
	*s.family(r) = family{text: grantID + subject, hash: hash, id: uint32(len(grantID)), twin: sh.grants[hash]}
	sh.grants[hash] = r
	return r
}

// end forgets a list that is empty. Its shard is locked.
func (s *Store) end(r ref) {
	f := s.family(r)
	sh := &s.shards[r.shard()]
	switch before := sh.grants[f.hash]; {
	case before != r:
		for s.family(before).twin != r {
			before = s.family(before).twin
		}
		s.family(before).twin = f.twin
	case f.twin != 0:
		sh.grants[f.hash] = f.twin
	default:
		delete(sh.grants, f.hash)
	}
	sh.families.put(r)
}

// never is how the zero ExpiresAt is kept.
var never = time.Time{}.UnixMicro()

// pack fills an entry with rec, complete but for family and subject, which join adds under the locks, and for what fill adds.
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

// fill adds what is shared or kept where a record is like another: the one before it in a write, or the one that it replaces.
// like may be nil.
func (v *value) fill(rec *storage.Record, like *value) {
	if v.shape = shapeOf(rec, like); like != nil && like.data == string(rec.Data) {
		v.data = like.data
	} else {
		v.data = string(rec.Data)
	}
}

// unpack returns the record as a caller may keep and change it.
func (v *seen) unpack(kind storage.Kind, key string) storage.Record {
	sh := v.shape.Value()
	rec := storage.Record{
		Kind: kind, Key: key, State: v.state, GrantID: v.grant,
		ClientID: sh.client, Subject: v.who,
		Scope: sh.scope.unpack(), Audience: sh.audience.unpack(),
		IssuedAt: time.UnixMicro(v.issued).UTC(), ExpiresAt: time.UnixMicro(v.expires).UTC(),
	}
	if v.data != "" {
		rec.Data = []byte(v.data)
	}
	return rec
}

// is sets the subject of an entry whose family is set.
func (s *Store) is(e *entry, subject string) {
	e.subject, e.own = "", e.family == 0 || s.family(e.family).subject() != subject
	if e.own {
		e.subject = strings.Clone(subject)
	}
}

// join puts the entry on the list of its grant and gives it its subject. The list's shard is locked.
func (s *Store) join(r ref, grantID, subject string) {
	e := s.at(r)
	if grantID == "" {
		s.is(e, subject)
		return
	}
	hash := s.hash(grantID)
	at := s.find(hash, grantID)
	if at == 0 {
		at = s.begin(hash, grantID, subject)
	}
	f := s.family(at)
	e.family, e.next, e.prev = at, f.head, 0
	s.is(e, subject)
	if f.head != 0 {
		s.at(f.head).prev = r
	}
	f.head = r
}

// leave takes the entry off its grant's list, and forgets the list with its last entry.
func (s *Store) leave(r ref) {
	e := s.at(r)
	if e.family == 0 {
		return
	}
	if e.next != 0 {
		s.at(e.next).prev = e.prev
	}
	if f := s.family(e.family); e.prev != 0 {
		s.at(e.prev).next = e.next
	} else if f.head = e.next; f.head == 0 {
		s.end(e.family)
	}
	e.family, e.next, e.prev = 0, 0, 0
}

// shapeOf returns the record's shape: that of like, if it is not nil, when they are the same, as those of one write nearly always are.
func shapeOf(rec *storage.Record, like *value) unique.Handle[shape] {
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
