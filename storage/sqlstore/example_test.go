package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/grantwell/grantwell/storage/sqlstore"
)

// The host chooses the driver and opens the database. The store makes its tables.
func ExampleNew() {
	ctx := context.Background()
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // the host imports the driver
	if err != nil {
		fmt.Println(err)
		return
	}
	db.SetMaxOpenConns(20)

	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	// Config.Clients and Config.Records of the server are both this store.
	_, err = store.Client(ctx, "app")
	fmt.Println(err)
}

// A host that changes its schema by hand finds the statements here.
func ExampleMigrations() {
	steps, err := sqlstore.Migrations(sqlstore.SQLite, "oauth_")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(steps[0].Version, len(steps[0].Statements) > 0)
	// Output: 1 true
}
