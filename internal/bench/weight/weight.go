package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a small server and the library that it is made with.
type program struct {
	name   string // of the library, in the table's head
	module string
	source string // the file, below the root of the repository
}

// grantwell is the program of README's quick start; the others do the same with
// another library.
var grantwell = program{
	name:   "Grantwell",
	module: "github.com/grantwell/grantwell",
	source: "examples/quickstart/main.go",
}

var peers = []program{
	{
		name:   "fosite",
		module: "github.com/ory/fosite",
		source: "internal/bench/weight/fosite/main.go",
	},
	{
		name:   "go-oauth2",
		module: "github.com/go-oauth2/oauth2/v4",
		source: "internal/bench/weight/gooauth2/main.go",
	},
	{
		name:   "zitadel/oidc",
		module: "github.com/zitadel/oidc/v3",
		source: "internal/bench/weight/zitadel/main.go",
	},
}

// figures is what a program weighs that is the only one of its module.
type figures struct {
	version string // of the library; empty: as it is here

	packages int   // compiled, without the standard library's and the program itself
	foreign  int   // of these, packages of other modules than the library
	modules  int   // in the build list, the library included
	sums     int   // lines of go.sum
	binary   int64 // bytes of the executable, as go build makes it
}

// measure puts the program into a module of its own that requires nothing but the
// library, at the version of this module's go.mod, and lets the go command add what
// is missing. root is the root of the repository.
func (p program) measure(ctx context.Context, root string) (f figures, err error) {
	dir, err := os.MkdirTemp("", "weight")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.source)))
	if err != nil {
		return f, err
	}
	if err = os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		return f, err
	}
	require := p.module + " v0.0.0\nreplace " + p.module + " => " + root
	if p.module != grantwell.module {
		version, err := run(
			ctx,
			filepath.Join(root, "internal", "bench"),
			"list",
			"-m",
			"-f",
			"{{.Version}}",
			p.module,
		)
		if err != nil {
			return f, err
		}
		f.version = strings.TrimSpace(version)
		require = p.module + " " + f.version
	}
	mod := "module quickstart\n\ngo 1.26.0\n\nrequire " + require + "\n"
	if err = os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		return f, err
	}
	if _, err = run(ctx, dir, "mod", "tidy"); err != nil {
		return f, err
	}
	return f, p.count(ctx, dir, &f)
}

// count sets the figures of a module that is complete.
func (p program) count(ctx context.Context, dir string, f *figures) error {
	list, err := run(
		ctx,
		dir,
		"list",
		"-deps",
		"-f",
		"{{if not .Standard}}{{.Module.Path}}{{end}}",
		".",
	)
	if err != nil {
		return err
	}
	for path := range strings.FieldsSeq(list) {
		if path == "quickstart" {
			continue
		}
		f.packages++
		if path != p.module {
			f.foreign++
		}
	}
	if list, err = run(
		ctx,
		dir,
		"list",
		"-m",
		"-f",
		"{{if not .Main}}{{.Path}}{{end}}",
		"all",
	); err != nil {
		return err
	}
	f.modules = len(strings.Fields(list))
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	f.sums = bytes.Count(sums, []byte("\n"))
	if _, err = run(ctx, dir, "build", "-o", "quickstart.bin", "."); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, "quickstart.bin"))
	if err != nil {
		return err
	}
	f.binary = info.Size()
	return nil
}

// run returns what the go command prints.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// No settings of this module, and no workspace around the temporary one.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf(
			"weight: go %s: %w: %s",
			strings.Join(args, " "),
			err,
			stderr.String(),
		)
	}
	return string(out), nil
}
