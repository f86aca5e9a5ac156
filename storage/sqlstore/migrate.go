package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed schema
var schema embed.FS

// Migration is one step of the schema.
type Migration struct {
	// Version counts from 1, without gaps.
	Version int

	// Name is the name of the file in schema/DIALECT.
	Name string

	// Statements are in order. The table prefix is filled in.
	Statements []string
}

// Migrations returns the steps of the schema for a dialect and a table prefix,
// oldest first. New applies the ones that are missing. If you apply them by hand,
// insert the version of each into the table PREFIXmigrations.
//
// A step only adds to the schema, so that an older release of this package works
// beside a newer one.
func Migrations(d Dialect, prefix string) ([]Migration, error) {
	if _, ok := languages[d]; !ok || !prefixPattern.MatchString(prefix) {
		return nil, fmt.Errorf("sqlstore: no migrations for dialect %q and prefix %q", string(d), prefix)
	}
	files, err := fs.ReadDir(schema, "schema/"+string(d))
	if err != nil {
		return nil, fmt.Errorf("sqlstore: reading the schema: %w", err)
	}
	steps := make([]Migration, len(files))
	for i, f := range files {
		text, err := schema.ReadFile("schema/" + string(d) + "/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("sqlstore: reading the schema: %w", err)
		}
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("sqlstore: schema file %s is not number %d", f.Name(), i+1)
		}
		steps[i] = Migration{
			Version:    version,
			Name:       f.Name(),
			Statements: statements(strings.ReplaceAll(string(text), "{prefix}", prefix)),
		}
	}
	return steps, nil
}

// statements splits a schema file into its statements, without comments. A
// semicolon at the end of a line ends a statement.
func statements(text string) []string {
	var list []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		end := strings.HasSuffix(line, ";")
		b.WriteString(strings.TrimSuffix(line, ";"))
		b.WriteByte('\n')
		if end {
			list = append(list, strings.TrimSpace(b.String()))
			b.Reset()
		}
	}
	return list
}

// migrate brings the schema up to the newest version of this package.
func (s *Store) migrate(ctx context.Context, skip bool) error {
	steps, err := Migrations(s.lang.dialect, s.prefix)
	if err != nil {
		return err
	}

	// The lock of a migration belongs to one connection.
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: migrations: %w", err)
	}
	defer conn.Close()
	newest := steps[len(steps)-1].Version
	have, err := s.version(ctx, conn)
	if err == nil && have >= newest {
		// This needs neither a lock nor an account that may change the schema.
		return nil
	}
	if skip && err != nil {
		return fmt.Errorf("sqlstore: the version of the schema cannot be read, and Options.SkipMigrations is set: %w", err)
	}
	if skip {
		return fmt.Errorf("sqlstore: the schema is at version %d of %d, and Options.SkipMigrations is set", have, newest)
	}
	err = s.lang.migrate(ctx, conn, s.prefix, func() error { return s.apply(ctx, conn, steps) })
	if err != nil {
		return fmt.Errorf("sqlstore: migrations: %w", err)
	}
	return nil
}

// apply applies the missing steps. It runs under the lock and reads the version
// again, because another instance may have migrated while this one waited.
func (s *Store) apply(ctx context.Context, conn *sql.Conn, steps []Migration) error {
	for _, ddl := range []string{
		"CREATE TABLE IF NOT EXISTS " + s.table("migrations") + " (version INTEGER NOT NULL PRIMARY KEY)",
		"CREATE TABLE IF NOT EXISTS " + s.table("settings") + " (name VARCHAR(32) NOT NULL PRIMARY KEY, value VARCHAR(128) NOT NULL)",
	} {
		if _, err := conn.ExecContext(ctx, ddl); err != nil {
			return err
		}
	}
	have, err := s.version(ctx, conn)
	if err != nil {
		return err
	}
	// The first instance chooses the secret that authenticates cursors.
	seal := s.lang.insertVerb + " " + s.table("settings") + " (name, value) VALUES ('cursor', '" + rand.Text() + "')" + s.lang.insertEnd
	if _, err := conn.ExecContext(ctx, seal); err != nil {
		return err
	}
	// A step that was applied in part is repeated: see the schema of MySQL.
	for _, step := range steps {
		if step.Version <= have {
			continue
		}
		for _, statement := range step.Statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
		done := "INSERT INTO " + s.table("migrations") + " (version) VALUES (" + strconv.Itoa(step.Version) + ")"
		if _, err := conn.ExecContext(ctx, done); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

// version returns the version of the schema, 0 for an empty one. It is an error
// if there are no tables.
func (s *Store) version(ctx context.Context, conn *sql.Conn) (int, error) {
	var v int
	err := conn.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM "+s.table("migrations")).Scan(&v)
	return v, err
}

// loadSeal reads the secret that authenticates cursors on every instance.
func (s *Store) loadSeal(ctx context.Context) error {
	var value string
	if err := s.db.QueryRowContext(ctx, "SELECT value FROM "+s.table("settings")+" WHERE name = 'cursor'").Scan(&value); err != nil {
		return fmt.Errorf("sqlstore: reading the settings: %w", err)
	}
	s.seal = []byte(value)
	return nil
}

// within runs f in a transaction of the connection. It begins with a statement of
// its own, because database/sql has no option for these.
func within(ctx context.Context, conn *sql.Conn, begin string, f func() error) error {
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	// The context may have ended, and the transaction must not stay open.
	if _, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); undo != nil {
		discard(conn)
	}
	return err
}

// discard removes a connection in an unknown state from the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// digest returns the SHA-256 of a text in hex.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
