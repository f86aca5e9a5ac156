//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/grantwell/grantwell/examples/cluster/internal/stores"
	"github.com/grantwell/grantwell/internal/dbserver"
)

// patience bounds the start of a database.
const patience = time.Minute

// private starts a database of this kind that only this cluster uses. It returns its
// name for -store and a function that ends it.
func private(ctx context.Context, kind, dir string) (name string, end func(), err error) {
	var s *dbserver.Server
	switch kind {
	case "sqlite":
		return "sqlite:" + filepath.Join(dir, "grantwell.db"), func() {}, nil
	case "postgres":
		s, err = dbserver.PostgreSQL()
	case "mysql":
		s, err = dbserver.MariaDB()
	case "redis":
		s, err = dbserver.Redis(dbserver.RedisDurable...)
	default:
		return "", nil, fmt.Errorf("-store %q is not known: postgres, mysql, redis or sqlite", kind)
	}
	if missing := new(dbserver.NotInstalledError); errors.As(err, &missing) {
		return "", nil, fmt.Errorf("%w; -store sqlite needs nothing installed", err)
	} else if err != nil {
		return "", nil, err
	}

	name = kind + ":" + s.DSN
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.Start(ctx, func(ctx context.Context) error { return opens(ctx, name) }); err != nil {
		s.Remove()
		return "", nil, err
	}

	return name, s.Remove, nil
}

// opens returns nil if the store can be opened. Opening it makes its tables.
func opens(ctx context.Context, name string) error {
	_, closeStore, err := stores.All.Open(ctx, name)
	if err == nil {
		closeStore()
	}

	return err
}
