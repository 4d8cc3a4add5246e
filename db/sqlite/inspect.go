package sqlite

import (
	"bytes"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"runboard/db/query"

	"database/sql"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID and schemaVersion are the values in the header of our files; the migrations write them.
const (
	applicationID = 0x52756e62 // "Runb"
	schemaVersion = 9          // the number of the newest migration
)

// checkWhole is the size in bytes up to which a start reads the whole file to verify it: 500 MB take about a
// second. Damage in a larger file shows when SQLite reads the damaged page.
const checkWhole = 64 << 20

// inspectContent verifies that the content of the file is intact and that this program can use it. It opens
// the file read-only, does not change it, and leaves no files beside it.
func inspectContent(ctx context.Context, path string) error {
	if _, err := os.Stat(path + "-shm"); errors.Is(err, os.ErrNotExist) {
		defer os.Remove(path + "-shm") // read-only connections leave it
	}
	pool, err := openPool(ctx, sqliteDriver, inspectDSN(path), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := inspectVersions(ctx, pool); err != nil {
		return err
	}
	if err := inspectSearch(ctx, pool); err != nil {
		return err
	}
	if small, err := isSmall(path); err != nil || !small {
		return err
	}
	var verdict string
	if err := pool.GetContext(ctx, &verdict, "PRAGMA quick_check(1)"); err != nil {
		return errCorrupt(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("is damaged: %s", strings.Join(strings.Fields(verdict), " ")) // it has several lines
	}
	return nil
}

// inspectDSN returns the DSN for inspectContent. A file without a log is opened as immutable; otherwise
// SQLite would create a log.
func inspectDSN(path string) string {
	for _, suffix := range []string{"-wal", "-journal"} {
		if log, err := os.Stat(path + suffix); err == nil && log.Size() > 0 {
			return readerDSN(path)
		}
	}
	return readerDSN(path) + "&immutable=1"
}

// inspectVersions compares the schema version of the file, which may still be in its log, with the newest
// version that this program knows and with the migrations applied to the file.
func inspectVersions(ctx context.Context, pool *sqlx.DB) error {
	var version, migrated int
	if err := pool.GetContext(ctx, &version, "PRAGMA user_version"); err != nil {
		return errCorrupt(err)
	}
	if version > schemaVersion {
		return query.ErrSchemaTooNew(version, schemaVersion)
	}
	if unfinished, err := isOnlySigned(ctx, pool, version); err != nil || unfinished {
		return err
	}
	if err := pool.GetContext(ctx, &migrated, "SELECT ifnull(max(version_id), 0) FROM goose_db_version WHERE is_applied"); err != nil {
		return errCorrupt(err)
	}
	if migrated != version {
		return fmt.Errorf("is damaged: its schema is number %d, but it has been migrated to number %d", version, migrated)
	}
	return nil
}

// isOnlySigned reports whether the file has a header and no schema, because a crash interrupted fillEmpty.
// Migration then starts from the beginning.
func isOnlySigned(ctx context.Context, pool *sqlx.DB, version int) (bool, error) {
	var things int
	if err := pool.GetContext(ctx, &things, "SELECT COUNT(*) FROM sqlite_schema"); err != nil {
		return false, errCorrupt(err)
	}
	return version == 0 && things == 0, nil
}

// isSmall reports whether a start may read the whole file, see checkWhole.
func isSmall(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("cannot be read: %w", err)
	}
	return info.Size() <= checkWhole, nil
}

// inspectFile fails unless path is a regular file that this process may write.
func inspectFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return errors.New("is not a file")
	case info.Mode().Perm()&0o222 == 0: // root could write to it all the same
		return errors.New("is read-only")
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	return file.Close()
}

// inspectHeader fails unless the first hundred bytes of the file are the header of a Runboard database, see
// https://sqlite.org/fileformat2.html#the_database_header.
func inspectHeader(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	defer file.Close()
	header := make([]byte, 100)
	if _, err := io.ReadFull(file, header); err != nil || !bytes.HasPrefix(header, []byte("SQLite format 3\x00")) {
		return errors.New("is not an SQLite database, or is damaged")
	}
	if binary.BigEndian.Uint32(header[68:]) != applicationID {
		return errors.New("is not a Runboard database")
	}
	if version := int(binary.BigEndian.Uint32(header[60:])); version > schemaVersion {
		return query.ErrSchemaTooNew(version, schemaVersion)
	}
	return nil
}

func errCorrupt(err error) error { return fmt.Errorf("cannot be used, or is damaged: %w", err) }

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
