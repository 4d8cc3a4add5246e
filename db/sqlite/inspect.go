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

// What the header of our files says, see migrations.
const (
	applicationID = 0x52756e62 // "Runb"
	schemaVersion = 9          // the number of the newest migration
)

// checkWhole is the size in bytes up to which a file is read through at start to see that it is
// whole: it takes about a second for 500 MB. Damage in a larger one shows when it is met.
const checkWhole = 64 << 20

// inspectInside looks whether what is in the file is whole and can be used by this program. It opens it for
// reading only, and leaves it as it is and nothing beside it.
func inspectContent(ctx context.Context, path string) error {
	if _, err := os.Stat(path + "-shm"); errors.Is(err, os.ErrNotExist) {
		defer os.Remove(path + "-shm") // when the pool is closed; one who only reads cannot remove it
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
		return fmt.Errorf("is damaged: %s", strings.Join(strings.Fields(verdict), " ")) // it comes in lines
	}
	return nil
}

// inspectDSN says of a file without a log that nobody changes it: otherwise SQLite would begin a log.
func inspectDSN(path string) string {
	for _, suffix := range []string{"-wal", "-journal"} {
		if log, err := os.Stat(path + suffix); err == nil && log.Size() > 0 {
			return readerDSN(path)
		}
	}
	return readerDSN(path) + "&immutable=1"
}

// inspectVersions compares what the file says of its schema, which may still be in the log, with what this
// program knows and with the migrations that the file has been through.
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

// isOnlySigned reports whether there is nothing in the file yet: a crash came between two steps of fillEmpty. The migrations
// then begin with the first.
func isOnlySigned(ctx context.Context, pool *sqlx.DB, version int) (bool, error) {
	var things int
	if err := pool.GetContext(ctx, &things, "SELECT COUNT(*) FROM sqlite_schema"); err != nil {
		return false, errCorrupt(err)
	}
	return version == 0 && things == 0, nil
}

// isSmall reports whether a file is small enough to be read through.
func isSmall(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("cannot be read: %w", err)
	}
	return info.Size() <= checkWhole, nil
}

// inspectFile looks whether it is a file that this process may write.
func inspectFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return errors.New("is not a file")
	case info.Mode().Perm()&0o222 == 0: // the administrator, too, is asked not to write to it
		return errors.New("is read-only")
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	return file.Close()
}

// inspectHeader looks whether the file is a database of ours, by its first hundred bytes: see
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
