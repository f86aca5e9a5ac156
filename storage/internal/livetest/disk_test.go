//go:build linux

package livetest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sector is what a disk writes completely or not at all.
const sector = 512

// platter is what a disk keeps after the first of its operations: what was synced,
// and what was not.
type platter struct {
	// now has the files by name as SQLite sees them, synced those that are in
	// the directory after a cut. entries are the changes of the directory since
	// its last sync, in their order.
	now     map[string]*inode
	synced  map[string]*inode
	entries []entryChange
}

// inode is a file. Its name may be gone.
type inode struct {
	synced  []byte
	pending []numbered // since the last sync
}

type numbered struct {
	diskOp
	n int
}

// entryChange gives a name to a file, or takes it away.
type entryChange struct {
	name string
	file *inode // nil: the name is deleted
}

func newPlatter() *platter {
	return &platter{now: map[string]*inode{}, synced: map[string]*inode{}}
}

// apply takes the operation with the number n.
func (p *platter) apply(n int, op diskOp) {
	switch op.what {
	case opCreate:
		f := &inode{}
		p.now[op.name] = f
		p.entries = append(p.entries, entryChange{op.name, f})
	case opDelete:
		delete(p.now, op.name)
		p.entries = append(p.entries, entryChange{op.name, nil})
	case opWrite, opTruncate:
		f := p.now[op.name]
		f.pending = append(f.pending, numbered{op, n})
	case opSync:
		p.now[op.name].sync(op.seen)
	}
	if op.directory {
		rename(p.synced, p.entries)
		p.entries = nil
	}
}

// sync makes durable what had ended before the operation with the number seen.
func (f *inode) sync(seen int) {
	var later []numbered
	for _, op := range f.pending {
		if op.n < seen {
			f.synced = change(f.synced, op.diskOp)
		} else {
			later = append(later, op)
		}
	}
	f.pending = later
}

// rename applies changes to a directory.
func rename(directory map[string]*inode, changes []entryChange) {
	for _, c := range changes {
		if directory[c.name] = c.file; c.file == nil {
			delete(directory, c.name)
		}
	}
}

// change applies a write or a truncation to the content of a file.
func change(content []byte, op diskOp) []byte {
	if op.what == opTruncate {
		if op.at <= int64(len(content)) {
			return content[:op.at]
		}
		return append(content, make([]byte, op.at-int64(len(content)))...)
	}
	if end := op.at + int64(len(op.data)); end > int64(len(content)) {
		content = append(content, make([]byte, end-int64(len(content)))...)
	}
	copy(content[op.at:], op.data)
	return content
}

// cutMode is what a power cut leaves of the writes that were not synced.
type cutMode int

const (
	keepNone    cutMode = iota // nothing
	keepFirst                  // the first of them, and a part of the next one
	keepSome                   // any of them, so that a later one may be there without an earlier one
	keepSectors                // any sectors of them; behind the old end there is what the disk had before
	keepAll                    // all
	cutModes
)

// cut writes into dir the files that a power cut leaves now.
func (p *platter) cut(t testing.TB, dir string, mode cutMode, r *rand.Rand) {
	t.Helper()
	directory := maps.Clone(p.synced)
	rename(directory, p.entries[:some(len(p.entries), mode, r)])
	for _, name := range slices.Sorted(maps.Keys(directory)) {
		content := directory[name].after(mode, r)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// some returns how many of n changes in order a cut leaves.
func some(n int, mode cutMode, r *rand.Rand) int {
	switch mode {
	case keepNone:
		return 0
	case keepAll:
		return n
	}
	return r.IntN(n + 1)
}

// after returns the content of a file after a power cut.
func (f *inode) after(mode cutMode, r *rand.Rand) []byte {
	content := slices.Clone(f.synced)
	first := some(len(f.pending), mode, r)
	for n, op := range f.pending {
		switch mode {
		case keepNone:
			return content
		case keepFirst:
			if n == first {
				return change(content, torn(op.diskOp, r))
			}
		case keepSome:
			if r.IntN(2) == 0 {
				continue
			}
		case keepSectors:
			content = changeSectors(content, op.diskOp, r)
			continue
		}
		content = change(content, op.diskOp)
	}
	return content
}

// torn returns a write that ended at the border of a sector. A truncation has no
// parts.
func torn(op diskOp, r *rand.Rand) diskOp {
	if op.what != opWrite {
		return op
	}
	end := (op.at/sector + r.Int64N(int64(len(op.data))/sector+2)) * sector
	op.data = op.data[:min(max(end-op.at, 0), int64(len(op.data)))]
	return op
}

// changeSectors applies each sector of a write or leaves it out.
func changeSectors(content []byte, op diskOp, r *rand.Rand) []byte {
	if op.what == opTruncate {
		if r.IntN(2) == 0 {
			return content
		}
		return change(content, op)
	}
	for len(op.data) > 0 {
		part := op
		part.data = op.data[:min(sector-op.at%sector, int64(len(op.data)))]
		op.at += int64(len(part.data))
		op.data = op.data[len(part.data):]
		if r.IntN(2) == 0 {
			content = change(content, part)
			continue
		}
		if part.at >= int64(len(content)) { // the size changed, and the sector was not written
			garbage := part
			garbage.data = make([]byte, len(part.data))
			for i := range garbage.data {
				garbage.data[i] = byte(r.Uint32())
			}
			content = change(content, garbage)
		}
	}
	return content
}
