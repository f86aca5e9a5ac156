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
	Version    int      // from 1, without gaps
	Name       string   // the file under schema/DIALECT
	Statements []string // in order, the prefix filled in
}

// Migrations returns the schema's steps for a dialect and table prefix, oldest first. New applies those that are
// missing; who applies them by hand notes each version in the table PREFIXmigrations.
// A step only adds: an older version of this package goes on working beside a newer one.
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
		steps[i] = Migration{Version: version, Name: f.Name(), Statements: statements(strings.ReplaceAll(string(text), "{prefix}", prefix))}
	}
	return steps, nil
}

// statements splits a schema file: comments go, and a semicolon at the end of a line ends a statement.
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

// migrate brings the schema to the newest version that this package knows.
func (s *Store) migrate(ctx context.Context, skip bool) error {
	steps, err := Migrations(s.lang.dialect, s.prefix)
	if err != nil {
		return err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: migrations: %w", err)
	}
	defer conn.Close()
	newest := steps[len(steps)-1].Version
	have, err := s.version(ctx, conn)
	if err == nil && have >= newest {
		return nil // needs no lock, nor an account that may change the schema
	}
	if skip {
		return fmt.Errorf("sqlstore: the schema is at version %d of %d, and Options.SkipMigrations is set (%v)", have, newest, err)
	}
	err = s.lang.migrate(ctx, conn, s.prefix, func() error { return s.apply(ctx, conn, steps) })
	if err != nil {
		return fmt.Errorf("sqlstore: migrations: %w", err)
	}
	return nil
}

// apply runs what is missing. It has the lock, and reads under it what another instance has just done.
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
	if _, err := conn.ExecContext(ctx, s.lang.insertVerb+" "+s.table("settings")+" (name, value) VALUES ('cursor', '"+rand.Text()+"')"+s.lang.insertEnd); err != nil {
		return err
	}
	for _, step := range steps {
		if step.Version <= have {
			continue
		}
		for _, statement := range step.Statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
		if _, err := conn.ExecContext(ctx, "INSERT INTO "+s.table("migrations")+" (version) VALUES ("+strconv.Itoa(step.Version)+")"); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

func (s *Store) version(ctx context.Context, conn *sql.Conn) (int, error) {
	var v int
	err := conn.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM "+s.table("migrations")).Scan(&v)
	return v, err
}

// loadSeal reads the secret that the instances of this store share.
func (s *Store) loadSeal(ctx context.Context) error {
	var value string
	if err := s.db.QueryRowContext(ctx, "SELECT value FROM "+s.table("settings")+" WHERE name = 'cursor'").Scan(&value); err != nil {
		return fmt.Errorf("sqlstore: reading the settings: %w", err)
	}
	s.seal = []byte(value)
	return nil
}

// within runs f in a transaction of the connection, begun by a statement that database/sql has no name for.
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
	if _, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); undo != nil {
		discard(conn)
	}
	return err
}

// discard takes a connection whose state is not known out of the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
