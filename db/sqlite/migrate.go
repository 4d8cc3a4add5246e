package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"runboard/db/query"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the newest migration. The version of a file is in goose_db_version, and
// nowhere else.
const schemaVersion = 6

// schemaVersionOf is the query for the version of a database.
const schemaVersionOf = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

// checkSchema fails if this program cannot use the schema of the file. A file without a schema is fine: a
// crash has interrupted fillEmpty, and the migration starts from the beginning.
func checkSchema(ctx context.Context, pool *sqlx.DB) error {
	var empty bool
	if err := pool.GetContext(ctx, &empty, "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)"); err != nil {
		return errCorrupt(err)
	}
	if empty {
		return nil
	}
	var version int
	if err := pool.GetContext(ctx, &version, schemaVersionOf); err != nil {
		return errCorrupt(err)
	}
	if version > schemaVersion {
		return query.ErrSchemaTooNew(version, schemaVersion)
	}
	return nil
}

// migrate brings the schema up to date. Each migration is one transaction.
func migrate(ctx context.Context, pool *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files)
	if err != nil {
		return fmt.Errorf("cannot be migrated: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("cannot be migrated: %w", err)
	}
	return nil
}
