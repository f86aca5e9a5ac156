//go:build linux

package livetest

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// recordedVFS is the name of a VFS of SQLite, for the parameter vfs of a DSN. It is
// the VFS of the system with three differences: it records the files that are
// opened, written, cut, synced and deleted in the directory of a disk.
const recordedVFS = "recorded"

// diskOp is one thing that SQLite did to a file, in the order of a disk.
type diskOp struct {
	what diskWhat
	name string // of the file, without its directory
	at   int64  // offset of a write, or size after a truncation
	data []byte

	// seen is how many operations had ended when a sync began. Later ones need
	// not be on the disk when it ends.
	seen int

	// directory marks what syncs the directory too: the first sync of a new
	// journal or write-ahead log, and a deletion that SQLite wants durable.
	directory bool
}

type diskWhat string

const (
	opCreate   diskWhat = "create"
	opWrite    diskWhat = "write"
	opTruncate diskWhat = "truncate"
	opSync     diskWhat = "sync"
	opDelete   diskWhat = "delete"
)

// disk records what SQLite does to the files of one directory.
type disk struct {
	mu  sync.Mutex
	ops []diskOp
}

// add records an operation that has ended.
func (d *disk) add(op diskOp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op)
}

// now returns how many operations have ended.
func (d *disk) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

// openFile is a file that SQLite has open on a disk.
type openFile struct {
	disk    *disk
	name    string
	methods *sqlite3.Tsqlite3_io_methods // of the VFS of the system

	// entry marks a file whose first sync also syncs the directory.
	entry bool
}

// vfs is the state of the VFS. SQLite calls it from any goroutine.
var vfs struct {
	once   sync.Once
	system uintptr // the VFS of the system

	mu    sync.Mutex
	disks map[string]*disk      // by directory
	files map[uintptr]*openFile // by the address of SQLite's structure

	// wrapped are the addresses of copies of the methods of the system, with some
	// of this file in their place, by the address of the original.
	wrapped map[uintptr]uintptr
}

// newDisk returns a disk that records what SQLite does in the directory.
func newDisk(t testing.TB, dir string) *disk {
	t.Helper()
	vfs.once.Do(func() { registerVFS(t) })
	d := &disk{}
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	vfs.disks[dir] = d
	return d
}

func registerVFS(t testing.TB) {
	vfs.disks = map[string]*disk{}
	vfs.files = map[uintptr]*openFile{}
	vfs.wrapped = map[uintptr]uintptr{}

	tls := libc.NewTLS()
	defer tls.Close()
	unix, err := libc.CString("unix")
	require.NoError(t, err)
	defer libc.Xfree(tls, unix)
	vfs.system = sqlite3.Xsqlite3_vfs_find(tls, unix)
	require.NotZero(t, vfs.system)

	own := *at[sqlite3.Tsqlite3_vfs](vfs.system)
	own.FpNext = 0
	own.FzName, err = libc.CString(recordedVFS)
	require.NoError(t, err)
	own.FxOpen = pointer(&openHook)
	own.FxDelete = pointer(&deleteHook)
	require.EqualValues(t, sqlite3.SQLITE_OK, sqlite3.Xsqlite3_vfs_register(tls, keep(tls, own), 0))
}

// keep copies a structure into memory that the garbage collector does not own, as
// SQLite needs it, and that is never freed. It returns the address.
func keep[T any](tls *libc.TLS, v T) uintptr {
	address := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(v)))
	*at[T](address) = v
	return address
}

// at returns the structure at an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// pointer returns a function as the translated SQLite keeps it. The function has to
// be in a variable of the package, which stays.
func pointer[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// function returns the Go function behind a pointer of the translated SQLite.
func function[F any](p uintptr) F {
	boxed := struct{ p uintptr }{p}
	return *(*F)(unsafe.Pointer(&boxed))
}

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, directory int32) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	writeFunc    = func(tls *libc.TLS, file, data uintptr, n int32, at int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// The functions of the VFS, in variables because SQLite keeps their addresses.
var (
	openHook     = vfsOpen
	deleteHook   = vfsDelete
	closeHook    = vfsClose
	writeHook    = vfsWrite
	truncateHook = vfsTruncate
	syncHook     = vfsSync
)

// diskOf returns the disk that a file is on, or nil, and its name there.
func diskOf(name uintptr) (*disk, string) {
	if name == 0 {
		return nil, "" // a temporary file
	}
	path := libc.GoString(name)
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	return vfs.disks[filepath.Dir(path)], filepath.Base(path)
}

// file returns an open file.
func file(address uintptr) *openFile {
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	return vfs.files[address]
}

func vfsOpen(tls *libc.TLS, _, name, address uintptr, flags int32, out uintptr) int32 {
	d, base := diskOf(name)
	created := false
	if d != nil {
		_, err := os.Lstat(libc.GoString(name))
		created = err != nil
	}
	system := at[sqlite3.Tsqlite3_vfs](vfs.system)
	code := function[openFunc](system.FxOpen)(tls, vfs.system, name, address, flags, out)
	opened := at[sqlite3.Tsqlite3_file](address)
	if code != sqlite3.SQLITE_OK || d == nil || opened.FpMethods == 0 {
		return code
	}

	journal := flags&(sqlite3.SQLITE_OPEN_WAL|sqlite3.SQLITE_OPEN_MAIN_JOURNAL|sqlite3.SQLITE_OPEN_SUPER_JOURNAL) != 0
	f := &openFile{
		disk:    d,
		name:    base,
		methods: at[sqlite3.Tsqlite3_io_methods](opened.FpMethods),
		entry:   created && journal,
	}
	if created {
		d.add(diskOp{what: opCreate, name: base})
	}
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	vfs.files[address] = f
	opened.FpMethods = wrapped(tls, opened.FpMethods)
	return code
}

// wrapped returns the methods of the system with four replaced. The caller holds
// the lock.
func wrapped(tls *libc.TLS, methods uintptr) uintptr {
	if own, ok := vfs.wrapped[methods]; ok {
		return own
	}
	own := *at[sqlite3.Tsqlite3_io_methods](methods)
	own.FxClose = pointer(&closeHook)
	own.FxWrite = pointer(&writeHook)
	own.FxTruncate = pointer(&truncateHook)
	own.FxSync = pointer(&syncHook)
	vfs.wrapped[methods] = keep(tls, own)
	return vfs.wrapped[methods]
}

func vfsDelete(tls *libc.TLS, _, name uintptr, directory int32) int32 {
	system := at[sqlite3.Tsqlite3_vfs](vfs.system)
	code := function[deleteFunc](system.FxDelete)(tls, vfs.system, name, directory)
	if d, base := diskOf(name); d != nil && code == sqlite3.SQLITE_OK {
		d.add(diskOp{what: opDelete, name: base, directory: directory != 0})
	}
	return code
}

func vfsClose(tls *libc.TLS, address uintptr) int32 {
	f := file(address)
	vfs.mu.Lock()
	delete(vfs.files, address)
	vfs.mu.Unlock()
	return function[closeFunc](f.methods.FxClose)(tls, address)
}

func vfsWrite(tls *libc.TLS, address, data uintptr, n int32, offset int64) int32 {
	f := file(address)
	code := function[writeFunc](f.methods.FxWrite)(tls, address, data, n, offset)
	if code == sqlite3.SQLITE_OK {
		bytes := slices.Clone(unsafe.Slice(at[byte](data), n))
		f.disk.add(diskOp{what: opWrite, name: f.name, at: offset, data: bytes})
	}
	return code
}

func vfsTruncate(tls *libc.TLS, address uintptr, size int64) int32 {
	f := file(address)
	code := function[truncateFunc](f.methods.FxTruncate)(tls, address, size)
	if code == sqlite3.SQLITE_OK {
		f.disk.add(diskOp{what: opTruncate, name: f.name, at: size})
	}
	return code
}

func vfsSync(tls *libc.TLS, address uintptr, flags int32) int32 {
	f := file(address)
	seen := f.disk.now()
	code := function[syncFunc](f.methods.FxSync)(tls, address, flags)
	if code == sqlite3.SQLITE_OK {
		f.disk.add(diskOp{what: opSync, name: f.name, seen: seen, directory: f.entry})
		f.entry = false
	}
	return code
}
