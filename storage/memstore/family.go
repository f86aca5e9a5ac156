package memstore

// family is the list of the records of one grant. It is kept in the grant's
// home, the shard that guards it.
//
// All fields but head and nextSameHash stay the same until the last record has
// left. So a reader that holds the shard of one of the records may read the text.
type family struct {
	// text is the grant's ID followed by the subject of its first record, which
	// is nearly always the subject of all of them.
	text     string
	idLength uint32

	hash uint64 // of the ID
	head ref    // the first entry of the list

	// nextSameHash is the next family whose ID has the same hash.
	nextSameHash ref
}

// grantID returns the ID of the grant.
func (f *family) grantID() string { return f.text[:f.idLength] }

// subject returns the subject of the first record.
func (f *family) subject() string { return f.text[f.idLength:] }

// findFamily returns the family of a grant, or 0. Its home is locked.
func (s *Store) findFamily(hash uint64, grantID string) ref {
	r := s.shards[home(hash)].grants[hash]
	for r != 0 && s.family(r).grantID() != grantID {
		r = s.family(r).nextSameHash
	}
	return r
}

// addFamily makes an empty family for a grant that has none. Its home is locked.
func (s *Store) addFamily(hash uint64, grantID, subject string) ref {
	sh := &s.shards[home(hash)]
	r := sh.families.take(home(hash))
	*s.family(r) = family{
		text:         grantID + subject,
		idLength:     uint32(len(grantID)),
		hash:         hash,
		nextSameHash: sh.grants[hash],
	}
	sh.grants[hash] = r
	return r
}

// removeFamily removes an empty family. Its home is locked.
func (s *Store) removeFamily(r ref) {
	f := s.family(r)
	sh := &s.shards[r.shard()]
	switch before := sh.grants[f.hash]; {
	case before != r:
		// It is inside the chain of families with this hash.
		for s.family(before).nextSameHash != r {
			before = s.family(before).nextSameHash
		}
		s.family(before).nextSameHash = f.nextSameHash
	case f.nextSameHash != 0:
		// It begins the chain.
		sh.grants[f.hash] = f.nextSameHash
	default:
		// It is alone, as nearly always.
		delete(sh.grants, f.hash)
	}
	sh.families.put(r)
}

// join adds an entry to the family of its grant, which it makes if there is
// none, and sets the entry's subject. The grant's home is locked.
func (s *Store) join(r ref, grantID, subject string) {
	e := s.at(r)
	if grantID == "" {
		s.setSubject(e, subject)
		return
	}

	hash := s.hash(grantID)
	at := s.findFamily(hash, grantID)
	if at == 0 {
		at = s.addFamily(hash, grantID, subject)
	}
	// The entry becomes the first of the list, which has no order.
	f := s.family(at)
	e.family = at
	e.next = f.head
	e.prev = 0
	s.setSubject(e, subject)
	if f.head != 0 {
		s.at(f.head).prev = r
	}
	f.head = r
}

// leave removes an entry from its family, and the family with its last entry.
// The grant's home is locked.
func (s *Store) leave(r ref) {
	e := s.at(r)
	if e.family == 0 {
		return
	}
	if e.next != 0 {
		s.at(e.next).prev = e.prev
	}
	if e.prev != 0 {
		s.at(e.prev).next = e.next
	} else {
		f := s.family(e.family)
		f.head = e.next
		if f.head == 0 {
			s.removeFamily(e.family)
		}
	}
	e.family = 0
	e.next = 0
	e.prev = 0
}
