// Package architecture holds the shape of the repository: which package may import
// which, how long a file may be, that everything exported is documented, and what a
// host compiles.
package architecture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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
	{name: "programs and rigs", folders: []string{"examples", "examples/", "internal/servertest", "internal/architecture", "internal/requirements", "internal/statements", "internal/dbserver"}},
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

func (f floor) has(pkg string) bool {
	return slices.ContainsFunc(f.folders, func(folder string) bool {
		return pkg == folder || strings.HasSuffix(folder, "/") && strings.HasPrefix(pkg, folder)
	})
}

// floorOf returns the number of the floor of a package. A floor that names the package
// itself wins over one that names its folder.
func floorOf(pkg string) int {
	if i := slices.IndexFunc(floors, func(f floor) bool { return slices.Contains(f.folders, pkg) }); i >= 0 {
		return i
	}

	return slices.IndexFunc(floors, func(f floor) bool { return f.has(pkg) })
}

// listed is a package as go list describes it.
type listed struct {
	ImportPath string
	Imports    []string
}

// packages returns the packages of the module and what each of them imports, without
// tests.
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

// own returns a package of the module by its folder.
func own(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// Every package has a floor, and imports only what stands below it.
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
				t.Errorf("%q imports %q: packages of the floor %q do not import each other", pkg, imported, floors[from].name)
			}
			checkFurther(t, pkg, imported)
		}
	}
}

func checkFurther(t *testing.T, pkg, imported string) {
	t.Helper()
	for _, rule := range further {
		if strings.HasPrefix(pkg, rule.from) && strings.HasPrefix(imported, rule.never) {
			t.Errorf("%q imports %q: %s", pkg, imported, rule.why)
		}
	}
}

// foreign says which packages of other modules a part of the repository may import. A
// name that ends in a slash stands for all packages below it.
var foreign = map[string][]string{
	"internal/base/":      {"github.com/go-jose/go-jose/v4", "golang.org/x/crypto/", "golang.org/x/sync/singleflight", "github.com/beevik/etree", "github.com/mattermost/xml-roundtrip-validator"},
	"tokens":              {"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/", "golang.org/x/crypto/"},
	"assertion":           {"github.com/crewjam/saml", "github.com/beevik/etree", "github.com/mattermost/xml-roundtrip-validator"},
	"storage/storagetest": {"github.com/stretchr/testify/"},
	"grants/grantstest":   {"github.com/stretchr/testify/"},
	"grants/fositegrant":  {"github.com/ory/fosite", "github.com/ory/fosite/", "golang.org/x/crypto/"},
	"internal/servertest": {"github.com/stretchr/testify/", "github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/", "golang.org/x/crypto/", "github.com/beevik/etree", "github.com/russellhaering/goxmldsig"},
	"examples/":           {"github.com/beevik/etree", "github.com/russellhaering/goxmldsig", "github.com/crewjam/saml", "golang.org/x/oauth2", "golang.org/x/oauth2/", "golang.org/x/crypto/"},
}

// A package imports no other module but those that its part of the repository needs.
// Only grants/fositegrant reaches fosite.
func TestFloors_ForeignPackagesAreNamed(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		var allowed []string
		for part, names := range foreign {
			if pkg == part || strings.HasSuffix(part, "/") && strings.HasPrefix(pkg, part) {
				allowed = append(allowed, names...)
			}
		}
		for _, path := range imports {
			if path == module || strings.HasPrefix(path, module+"/") || !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
				continue
			}
			ok := slices.ContainsFunc(allowed, func(name string) bool {
				return path == name || strings.HasSuffix(name, "/") && strings.HasPrefix(path, name)
			})
			require.True(t, ok, "%q imports %q", pkg, path)
		}
	}
}

// The test of the floors fails if one arrow is turned: each rule refuses an import
// that breaks it.
func TestFloors_RulesRefuseATurnedArrow(t *testing.T) {
	t.Parallel()
	for _, arrow := range [][2]string{
		{"internal/room/issue", ""},
		{"internal/seam", "internal/frame"},
		{"internal/room/consent", "internal/room/issue"},
		{"internal/base/form", "storage"},
		{"grants", "internal/seam"},
		{"storage", "grants"},
	} {
		require.Greater(t, floorOf(arrow[1]), floorOf(arrow[0]), "%v", arrow)
	}
	require.True(t, floors[floorOf("internal/spec/gateway")].apart)
	require.Equal(t, floorOf("internal/spec/gateway"), floorOf("internal/spec/responsemode"))
}

// The face is small: documented structs, assembly and handlers.
func TestFace_IsSmall(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	require.NoError(t, err)
	n, lines := 0, 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		n++
		lines += bytes.Count(text, []byte("\n"))
	}
	require.LessOrEqual(t, n, 16)
	require.LessOrEqual(t, lines, 1500)
}

// A server has its exported methods and no others: what it does is in the rooms.
func TestFace_ServerHasNoInternalMethods(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	require.NoError(t, err)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			if id, ok := star.X.(*ast.Ident); ok && id.Name == "Server" {
				require.True(t, fn.Name.IsExported(), "%s: %s", f, fn.Name.Name)
			}
		}
	}
}

func list(t *testing.T, pkg string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"list"}, args...), "./"+pkg)...)
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, pkg)

	return strings.Fields(string(out))
}

// No file is too long to be read, and everything exported has a comment.
func TestFiles_AreShortAndDocumented(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		test := strings.HasSuffix(path, "_test.go")
		limit := 400
		if test {
			limit = 800
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := 0
		for s := bufio.NewScanner(f); s.Scan(); {
			lines++
		}
		require.LessOrEqual(t, lines, limit, path)
		if test || strings.Contains(path, "/examples/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err, path)
		for _, decl := range file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s is exported and has no comment", path, name)
			}
		}
		return nil
	})
	require.NoError(t, err)
}

func undocumented(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || receiverExported(d.Recv)) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func receiverExported(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
