package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

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

// schemaVersion is the number of the newest migration. The version of a database is in goose_db_version, and
// nowhere else.
const schemaVersion = 9

// schemaVersionOf is the query for the version of a database.
const schemaVersionOf = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

// oldestServer is the least server_version_num; River requires it.
const oldestServer = 140000

// migrationLock is the key of the advisory lock of the node that migrates.
const migrationLock = "1920298857, 2"

// riverSchema is the version of River's schema that migration 1 creates.
const riverSchema = 8

// prepare checks that the program can use the database, and migrates its schema. Several nodes may do so at
// once. It opens its own connections, without timeouts.
func prepare(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) error {
	config = config.Copy()
	config.AfterConnect = nil
	if err := checkSession(ctx, config); err != nil {
		return err
	}
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	version, err := inspect(ctx, pool)
	if err != nil || version == schemaVersion {
		return err
	}
	if err := migrate(ctx, pool, log); err != nil {
		return fmt.Errorf("cannot be migrated: %w", err)
	}
	return nil
}

// inspect checks the server and returns the version of its schema, 0 if there is none. It changes nothing.
func inspect(ctx context.Context, pool *sql.DB) (version int, err error) {
	var server int
	var encoding string
	var made bool
	err = pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int,
		current_setting('server_encoding'),
		to_regclass('goose_db_version') IS NOT NULL`).Scan(&server, &encoding, &made)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot be used: %w", err)
	case server < oldestServer:
		return 0, fmt.Errorf("cannot be used: PostgreSQL %d is too old, it must be %d or newer",
			server/10000, oldestServer/10000)
	case encoding != "UTF8":
		return 0, fmt.Errorf("cannot be used: its encoding is %s and must be UTF8", encoding)
	case !made:
		return 0, nil
	}
	err = pool.QueryRowContext(ctx, schemaVersionOf).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("cannot be used: %w", err)
	}
	if version > schemaVersion {
		return 0, query.ErrSchemaTooNew(version, schemaVersion)
	}
	return version, nil
}

// migrate migrates the schema, River's first, unless another node has done so meanwhile. It first ends the
// connections of the nodes that know only the older schema. They cannot connect again before it has ended,
// and then find that the schema is not theirs.
func migrate(ctx context.Context, pool *sql.DB, log *slog.Logger) (err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // its locks end with it
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+migrationLock+")"); err != nil {
		return err
	}
	version, err := inspect(ctx, pool)
	if err != nil || version == schemaVersion {
		return err
	}
	if err := lockSchema(ctx, pool, conn); err != nil {
		return err
	}
	provider, err := newProvider(pool, log)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	if partial, is := errors.AsType[*goose.PartialError](err); is {
		return partial.Err // without the list of migrations that succeeded
	}
	return err
}

// endSessions ends the connections that hold schemaLock.
const endSessions = `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
	WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (` + schemaLock + `, 2)
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND mode = 'ShareLock' AND granted`

// lockSchema locks schemaLock exclusively on conn. Connections that ask for the lock meanwhile wait, so it
// has to end only those that hold it.
func lockSchema(ctx context.Context, pool *sql.DB, conn *sql.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	locked := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+schemaLock+")")
		locked <- err
	}()
	for {
		if _, err := pool.ExecContext(ctx, endSessions); err != nil {
			cancel()
			<-locked
			return err
		}
		select {
		case err := <-locked:
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// newProvider returns what runs the migrations.
func newProvider(pool *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	config := &rivermigrate.Config{Logger: app.MinLevel(log, slog.LevelWarn)}
	river, err := rivermigrate.New(riverdatabasesql.New(pool), config)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithSessionLocker(locker),
		goose.WithGoMigrations(migrateRiver(river)))
}

// migrateRiver returns migration 1, which creates River's schema, in several transactions.
func migrateRiver(river *rivermigrate.Migrator[*sql.Tx]) *goose.Migration {
	return goose.NewGoMigration(1, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
		options := &rivermigrate.MigrateOpts{TargetVersion: riverSchema}
		_, err := river.Migrate(ctx, rivermigrate.DirectionUp, options)
		return err
	}}, nil)
}
