package memstore

import "encoding/binary"

// packedList is a list of strings in one string, so that it can be compared and
// be a part of a map key. A list of one is that string itself, which is the most
// frequent case. A longer list is each string after its length as a uvarint.
type packedList struct {
	packed string
	n      int
}

// packList returns the packed form of a list.
func packList(l []string) packedList {
	if len(l) == 1 {
		return packedList{l[0], 1}
	}
	// The lengths keep ["a b"] apart from ["a", "b"].
	var b []byte
	for _, s := range l {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return packedList{string(b), len(l)}
}

// equals reports whether l is the packed form of v. It compares lists of at most
// one string, and reports false for longer ones: the caller then packs v, which
// is right though slower.
func (l packedList) equals(v []string) bool {
	if len(v) != l.n {
		return false
	}
	return l.n == 0 || l.n == 1 && l.packed == v[0]
}

// unpack returns the list. It is nil if it is empty.
func (l packedList) unpack() []string {
	switch l.n {
	case 0:
		return nil
	case 1:
		return []string{l.packed}
	}
	out := make([]string, l.n)
	rest := l.packed
	for i := range out {
		out[i], rest = cutElement(rest)
	}
	return out
}

// cutElement returns the first string of a packed list and what follows it. It
// reads the length by hand, because package binary reads slices of bytes only.
func cutElement(s string) (element, rest string) {
	var size, shift int
	for i := range len(s) {
		size |= int(s[i]&0x7f) << shift
		if s[i] < 0x80 { // the last byte of the length
			s = s[i+1:]
			return s[:size], s[size:]
		}
		shift += 7
	}
	return "", ""
}
