package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The most files and lines of the root package, without its tests.
const (
	maxFaceFiles = 16
	maxFaceLines = 1500
)

// faceFiles returns the files of the root package without its tests.
func faceFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	require.NoError(t, err)
	return slices.DeleteFunc(files, func(f string) bool {
		return strings.HasSuffix(f, "_test.go")
	})
}

// The root package has documented structs, assembly and handlers, so it is small.
func TestFace_IsSmall(t *testing.T) {
	t.Parallel()
	lines := 0
	files := faceFiles(t)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		lines += bytes.Count(text, []byte("\n"))
	}
	require.LessOrEqual(t, len(files), maxFaceFiles)
	require.LessOrEqual(t, lines, maxFaceLines)
}

// All methods of Server are exported. The packages below internal/room do the work.
func TestFace_ServerHasNoInternalMethods(t *testing.T) {
	t.Parallel()
	for _, f := range faceFiles(t) {
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
