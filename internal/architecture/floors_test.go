// Package floors holds the shape of the repository: which package may import which, how long a file may be, and that
// everything exported says what it is.
package floors

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
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

// The packages that a package may import, besides the standard library. Own packages are named without the module.
var may = map[string][]string{
	"storage":               {},
	"storage/memstore":      {"storage"},
	"storage/sqlstore":      {"storage"},
	"storage/redisstore":    {"storage"},
	"storage/storagetest":   {"storage", "github.com/stretchr/testify/..."},
	"tokens":                {"internal/base/jsonenc", "internal/base/strictjson", "internal/base/jws", "github.com/go-jose/go-jose/v4/...", "golang.org/x/crypto/..."},
	"introspect":            {"internal/base/jsonenc", "internal/base/strictjson", "internal/base/jws", "internal/base/fetch"},
	"assertion":             {"internal/base/strictjson", "internal/base/jws", "internal/base/fetch", "internal/base/xmldsig", "internal/base/xmlenc", "github.com/crewjam/saml", "github.com/beevik/etree"},
	"grants":                {"storage", "tokens", "assertion", "internal/base/jsonenc"},
	"grants/fositegrant":    {"storage", "tokens", "grants", "github.com/ory/fosite/...", "golang.org/x/crypto/..."},
	"grants/observe":        {"storage", "tokens", "assertion"},
	"internal/pages":        {},
	"internal/frontchannel": {"storage", "internal/pages", "github.com/ory/fosite"},
	"":                      {"storage", "storage/memstore", "tokens", "assertion", "introspect", "grants", "internal/base/form", "internal/base/jsonenc", "internal/pages", "internal/frontchannel", "golang.org/x/crypto/..."},

	"introspect/introspecttest": {"introspect"},

	"internal/base/form":       {},
	"internal/base/jsonenc":    {},
	"internal/base/strictjson": {},
	"internal/base/jws":        {"internal/base/strictjson", "github.com/go-jose/go-jose/v4"},
	"internal/base/fetch":      {"golang.org/x/sync/singleflight"},
	"internal/base/xmldsig":    {"github.com/beevik/etree", "github.com/mattermost/xml-roundtrip-validator"},
	"internal/base/xmlenc":     {"internal/base/xmldsig", "github.com/beevik/etree"},
}

// Imports point down only, and a package of floor 1 imports no other.
func TestImports_PointDownOnly(t *testing.T) {
	t.Parallel()
	for pkg, allowed := range may {
		if _, err := os.Stat(filepath.Join(root, pkg)); err != nil {
			continue
		}
		for _, imp := range imports(t, pkg) {
			own, isOwn := strings.CutPrefix(imp, module+"/")
			if !isOwn && !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				continue // standard library
			}
			ok := slices.ContainsFunc(allowed, func(a string) bool {
				prefix, wild := strings.CutSuffix(a, "/...")
				return imp == a || isOwn && own == a || wild && (imp == prefix || strings.HasPrefix(imp, prefix+"/"))
			})
			require.True(t, ok, "%q imports %q", pkg, imp)
		}
	}
}

// Only the front channel and the fosite adapter reach fosite, and nothing reaches its handlers; a resource server compiles none of it.
func TestFosite_IsReachedFromTwoPlacesOnly(t *testing.T) {
	t.Parallel()
	for _, pkg := range []string{"storage", "storage/memstore", "storage/storagetest", "tokens", "assertion", "introspect", "grants", "grants/observe", "internal/base/form", "internal/base/jsonenc", "internal/pages"} {
		for _, dep := range deps(t, pkg) {
			require.False(t, strings.HasPrefix(dep, "github.com/ory/") || strings.HasPrefix(dep, "go.opentelemetry.io/"), "%s compiles %s", pkg, dep)
		}
	}
	for _, dep := range deps(t, "") {
		require.False(t, strings.HasPrefix(dep, "github.com/ory/fosite/handler") || strings.HasPrefix(dep, "github.com/ory/fosite/storage") || strings.HasPrefix(dep, "github.com/stretchr/"), "the root package compiles %s", dep)
	}
	require.NotContains(t, strings.Join(deps(t, "assertion"), "\n"), module+"/storage")
}

func imports(t *testing.T, pkg string) []string {
	return list(t, pkg, "-f", `{{join .Imports "\n"}}`)
}

func deps(t *testing.T, pkg string) []string { return list(t, pkg, "-deps") }

func list(t *testing.T, pkg string, args ...string) []string {
	cmd := exec.Command("go", append(append([]string{"list"}, args...), "./"+pkg)...)
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
