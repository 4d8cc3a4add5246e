package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"

	"runboard/app"
	"runboard/db/query"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	schemaVersion = 6      // the number of the newest migration
	oldestServer  = 140000 // what River needs
)

// prepare looks whether the database can be used by this program, and brings its schema up to date. Several nodes may do
// so at once. It has connections of its own, which may take as long as they need.
func prepare(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) error {
	config = config.Copy()
	delete(config.RuntimeParams, "statement_timeout")
	delete(config.RuntimeParams, "lock_timeout")
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	if err := pool.PingContext(ctx); err != nil {
		return fmt.Errorf("cannot be reached: %w", err)
	}
	version, err := inspect(ctx, pool)
	if err != nil || version == schemaVersion {
		return err
	}
	if err := migrate(ctx, pool, log); err != nil {
		return fmt.Errorf("cannot be migrated: %w", err)
	}
	return nil
}

// inspect returns the number of the newest migration that the database has been through, after looking whether it can be
// used at all. It changes nothing.
func inspect(ctx context.Context, pool *sql.DB) (version int, err error) {
	var server int
	var encoding string
	var made bool
	err = pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		to_regclass('goose_db_version') IS NOT NULL`).Scan(&server, &encoding, &made)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot be used: %w", err)
	case server < oldestServer:
		return 0, fmt.Errorf("cannot be used: PostgreSQL %d is too old, it must be %d or newer", server/10000, oldestServer/10000)
	case encoding != "UTF8":
		return 0, fmt.Errorf("cannot be used: its encoding is %s and must be UTF8", encoding)
	case !made:
		return 0, nil
	}
	err = pool.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("cannot be used: %w", err)
	}
	if version > schemaVersion {
		return 0, query.ErrSchemaTooNew(version, schemaVersion)
	}
	return version, nil
}

// migrate brings the schema up to date, River's first. Whoever comes second waits, and finds it done.
func migrate(ctx context.Context, pool *sql.DB, log *slog.Logger) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	river, err := rivermigrate.New(riverdatabasesql.New(pool), &rivermigrate.Config{Logger: app.MinLevel(log, slog.LevelWarn)})
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithSessionLocker(locker),
		goose.WithGoMigrations(migrateRiver(river, 1, 8), migrateSearch(3)))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	if partial, is := errors.AsType[*goose.PartialError](err); is {
		return partial.Err // what went wrong, without what went well
	}
	return err
}

// migrateRiver brings River's schema to a version. It takes several transactions: River knows how far it has come.
func migrateRiver(river *rivermigrate.Migrator[*sql.Tx], number int64, to int) *goose.Migration {
	return goose.NewGoMigration(number, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
		_, err := river.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: to})
		return err
	}}, nil)
}
