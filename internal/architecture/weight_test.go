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

// maxForeign is the most packages of other modules that a host of the root package
// compiles.
const maxForeign = 24

// maxBinary is the largest size in bytes of the quick start's binary, as a plain go build
// makes it. text/template alone adds 3 MB, because the linker then keeps every exported
// method.
const maxBinary = 13_000_000

// notCompiled are modules that the root package must not bring into a host's build. They
// come with fosite, with the driver of a store or with a telemetry library.
var notCompiled = []string{
	"github.com/ory/",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
	"github.com/gogo/protobuf",
	"go.opentelemetry.io/",
	"github.com/sirupsen/logrus",
	"github.com/dgraph-io/ristretto",
}

// The root package brings few packages of other modules into a host's build.
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

// The binary of the quick start is small.
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
