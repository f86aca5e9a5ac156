package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The most lines of a file, and of a file of tests.
const (
	maxLines     = 400
	maxTestLines = 800
)

// goFiles calls check with the path of each Go file of the repository.
func goFiles(t *testing.T, check func(path string, test bool)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			check(path, strings.HasSuffix(path, "_test.go"))
		}
		return nil
	})
	require.NoError(t, err)
}

// No file is longer than a person reads at once.
func TestFiles_AreShort(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, test bool) {
		limit := maxLines
		if test {
			limit = maxTestLines
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.LessOrEqual(t, bytes.Count(text, []byte("\n")), limit, path)
	})
}

// Every exported name has a comment, outside of tests and examples.
func TestFiles_ExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, test bool) {
		if test || strings.Contains(path, "/examples/") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err, path)
		for _, decl := range file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s is exported and has no comment", path, name)
			}
		}
	})
}

// undocumented returns the exported names of a declaration that have no comment.
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

// receiverExported reports whether a method is of an exported type. The methods of other
// types need no comment.
func receiverExported(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
