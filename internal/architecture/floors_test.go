// Package architecture holds the shape of the repository: which package may import
// which, how long a file may be, that everything exported is documented, and what a
// host compiles.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/grantwell/grantwell"
	root   = "../.."
)

// floor is a part of the repository, by folders. A folder that ends in a slash stands
// for all packages below it. A package belongs to the first floor that names it.
type floor struct {
	name    string
	folders []string
	// apart says that packages of the floor do not import each other.
	apart bool
}

// floors are the parts of the repository from the bottom to the top: each imports only
// what stands before it, and where packages are not apart, its own packages.
var floors = []floor{
	{name: "base", folders: []string{"internal/base/"}},
	{name: "contracts", folders: []string{"storage", "tokens", "assertion", "introspect"}, apart: true},
	{name: "stores", folders: []string{"storage/", "introspect/"}, apart: true},
	{name: "record", folders: []string{"internal/record"}},
	{name: "grants", folders: []string{"grants"}},
	{name: "beside grants", folders: []string{"grants/limit", "grants/observe", "internal/event", "internal/clientmeta", "internal/migrate"}, apart: true},
	{name: "seam", folders: []string{"internal/seam"}},
	{name: "frame", folders: []string{"internal/frame", "internal/frame/"}},
	{name: "leaf rooms", folders: []string{"internal/room/consent", "internal/room/scope", "internal/room/clientauth"}, apart: true},
	{name: "live", folders: []string{"internal/room/live"}},
	{name: "issue", folders: []string{"internal/room/issue"}},
	{name: "endpoints", folders: []string{"internal/room/token", "internal/room/authorize", "internal/room/inspect"}, apart: true},
	{name: "above", folders: []string{"internal/room/admin", "internal/room/discovery"}, apart: true},
	{name: "specifications", folders: []string{"internal/spec/"}, apart: true},
	{name: "face", folders: []string{""}},
	{name: "adapters", folders: []string{"grants/fositegrant", "grants/grantstest"}, apart: true},
	{name: "programs and rigs", folders: []string{"examples", "examples/", "internal/servertest", "internal/architecture", "internal/requirements", "internal/anonymous", "internal/dbserver"}},
}

// further are rules beyond the order of the floors.
var further = []struct {
	from, never string
	why         string
}{
	{"internal/spec/", "internal/room/", "no specification knows a room"},
	{"internal/room/", "internal/spec/", "no room knows a specification"},
	{"storage/", "internal/", "a store is what a host could write"},
	{"grants/fositegrant", "internal/room/", "an adapter knows the contracts alone"},
	{"internal/base/", "tokens", "base knows no contract"},
}

// has reports whether a package belongs to the floor.
func (f floor) has(pkg string) bool {
	return slices.ContainsFunc(f.folders, func(folder string) bool {
		return pkg == folder || strings.HasSuffix(folder, "/") && strings.HasPrefix(pkg, folder)
	})
}

// floorOf returns the number of the floor of a package. A floor that names the package
// itself wins over one that names its folder.
func floorOf(pkg string) int {
	named := func(f floor) bool { return slices.Contains(f.folders, pkg) }
	if i := slices.IndexFunc(floors, named); i >= 0 {
		return i
	}
	return slices.IndexFunc(floors, func(f floor) bool { return f.has(pkg) })
}

// listed is a package as go list describes it.
type listed struct {
	ImportPath string
	Imports    []string
}

// packages returns the packages of the module, each with the packages that it imports.
// The imports of tests do not count.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)

	all := make(map[string][]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all[own(p.ImportPath)] = p.Imports
	}
}

// list runs go list on a package, and returns the words of its output.
func list(t *testing.T, pkg string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"list"}, args...), "./"+pkg)...)
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, pkg)
	return strings.Fields(string(out))
}

// own returns the folder of a package of the module.
func own(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// Every package has a floor, and imports only packages of its own floor and of those below.
func TestFloors_ImportsPointDownOnly(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		from := floorOf(pkg)
		require.GreaterOrEqual(t, from, 0, "%q has no floor", pkg)
		for _, path := range imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			imported := own(path)
			to := floorOf(imported)
			require.GreaterOrEqual(t, to, 0, "%q has no floor", imported)
			require.LessOrEqual(t, to, from, "%q (%s) imports %q (%s), which stands above it",
				pkg, floors[from].name, imported, floors[to].name)
			if to == from && floors[from].apart {
				t.Errorf("%q imports %q: packages of the floor %q do not import each other",
					pkg, imported, floors[from].name)
			}
			checkFurther(t, pkg, imported)
		}
	}
}

// checkFurther checks one import by the rules beyond the order of the floors.
func checkFurther(t *testing.T, pkg, imported string) {
	t.Helper()
	for _, rule := range further {
		if strings.HasPrefix(pkg, rule.from) && strings.HasPrefix(imported, rule.never) {
			t.Errorf("%q imports %q: %s", pkg, imported, rule.why)
		}
	}
}

// foreign has the packages of other modules that a part of the repository may import. A
// name that ends in a slash stands for all packages below it.
var foreign = map[string][]string{
	"internal/base/": {
		"github.com/beevik/etree",
		"github.com/go-jose/go-jose/v4",
		"github.com/mattermost/xml-roundtrip-validator",
		"golang.org/x/crypto/",
		"golang.org/x/sync/singleflight",
		"golang.org/x/text/unicode/norm",
	},
	"tokens": {
		"github.com/go-jose/go-jose/v4",
		"github.com/go-jose/go-jose/v4/",
		"golang.org/x/crypto/",
	},
	"assertion": {
		"github.com/beevik/etree",
		"github.com/crewjam/saml",
		"github.com/mattermost/xml-roundtrip-validator",
	},
	"storage/storagetest": {"github.com/stretchr/testify/"},
	"grants/grantstest":   {"github.com/stretchr/testify/"},
	"grants/fositegrant": {
		"github.com/ory/fosite",
		"github.com/ory/fosite/",
		"golang.org/x/crypto/",
	},
	"internal/servertest": {
		"github.com/beevik/etree",
		"github.com/go-jose/go-jose/v4",
		"github.com/go-jose/go-jose/v4/",
		"github.com/russellhaering/goxmldsig",
		"github.com/stretchr/testify/",
		"golang.org/x/crypto/",
	},
	"examples/": {
		"github.com/beevik/etree",
		"github.com/crewjam/saml",
		"github.com/russellhaering/goxmldsig",
		"golang.org/x/crypto/",
		"golang.org/x/oauth2",
		"golang.org/x/oauth2/",
	},
}

// allows reports whether a list of names has a package. A name that ends in a slash stands
// for all packages below it.
func allows(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return pkg == name || strings.HasSuffix(name, "/") && strings.HasPrefix(pkg, name)
	})
}

// isForeign reports whether a package is of another module. Only the first element of a
// path of the standard library has no dot.
func isForeign(path string) bool {
	if path == module || strings.HasPrefix(path, module+"/") {
		return false
	}
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

// A package imports other modules only if its part of the repository needs them.
// Only grants/fositegrant reaches fosite.
func TestFloors_ForeignPackagesAreNamed(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		var allowed []string
		for part, names := range foreign {
			if allows([]string{part}, pkg) {
				allowed = append(allowed, names...)
			}
		}
		for _, path := range imports {
			if isForeign(path) {
				require.True(t, allows(allowed, path), "%q imports %q", pkg, path)
			}
		}
	}
}

// Each rule of the floors refuses an import that breaks it.
func TestFloors_RulesRefuseAnImportThatPointsUp(t *testing.T) {
	t.Parallel()
	for _, imported := range [][2]string{
		{"internal/room/issue", ""},
		{"internal/seam", "internal/frame"},
		{"internal/room/consent", "internal/room/issue"},
		{"internal/base/form", "storage"},
		{"grants", "internal/seam"},
		{"storage", "grants"},
	} {
		require.Greater(t, floorOf(imported[1]), floorOf(imported[0]), "%v", imported)
	}
	require.True(t, floors[floorOf("internal/spec/gateway")].apart)
	require.Equal(t, floorOf("internal/spec/gateway"), floorOf("internal/spec/responsemode"))
}
