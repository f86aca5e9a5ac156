package floors

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxForeign is how many packages of other modules a host of the root package may
// compile.
const maxForeign = 24

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
