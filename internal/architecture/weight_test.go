package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxForeign is how many packages of other modules a host of the root package may
// compile.
const maxForeign = 24

// maxBinary is how large the binary of the quick start may be, in bytes, as a plain
// go build makes it. text/template alone adds 3 MB: with it the linker keeps every
// exported method.
const maxBinary = 13_000_000

// notCompiled are the modules that a host never compiles because of the root package.
// They come with fosite, or would come with a store's driver or a telemetry library.
var notCompiled = []string{
	"github.com/ory/",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
	"github.com/gogo/protobuf",
	"go.opentelemetry.io/",
	"github.com/sirupsen/logrus",
	"github.com/dgraph-io/ristretto",
}

// What the root package brings into a host's build is bounded in number, and named.
func TestWeight_RootPackageCompilesFewForeignPackages(t *testing.T) {
	t.Parallel()
	var foreign []string
	for _, path := range list(t, "", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}") {
		if path == module || strings.HasPrefix(path, module+"/") {
			continue
		}
		foreign = append(foreign, path)
		for _, prefix := range notCompiled {
			require.False(t, strings.HasPrefix(path, prefix), "the root package compiles %s", path)
		}
	}
	require.LessOrEqual(t, len(foreign), maxForeign, "%s", strings.Join(foreign, "\n"))
}

// The smallest server is a small binary.
func TestWeight_QuickStartBinaryIsSmall(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("links a program")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the limit is for linux/amd64")
	}
	binary := filepath.Join(t.TempDir(), "quickstart")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./examples/quickstart")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(binary)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(maxBinary))
}
