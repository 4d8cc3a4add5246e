package db

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

	"database/sql"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// What the header of our files says, see migrations.
const (
	applicationID = 0x52756e62 // "Runb"
	schemaVersion = 3          // the number of the newest migration
)

// checkWhole is the size in bytes up to which a file is read through at start to see that it is
// whole: it takes about a second for 500 MB. Damage in a larger one shows when it is met.
const checkWhole = 64 << 20

// inspectFile looks whether the file is a database of ours that this program can use. It opens it
// for reading only and leaves it as it is.
func inspectFile(ctx context.Context, path string) error {
	size, err := inspectHeader(path)
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, readerDSN(path), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	var version int
	if err := pool.GetContext(ctx, &version, "PRAGMA user_version"); err != nil {
		return damaged(err)
	}
	if version > schemaVersion { // newer than the header says: it may still be in the log
		return errNewer(version)
	}
	if size > checkWhole {
		return nil
	}
	var verdict string
	if err := pool.GetContext(ctx, &verdict, "PRAGMA quick_check(1)"); err != nil {
		return damaged(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("is damaged: %s", strings.Join(strings.Fields(verdict), " ")) // it comes in lines
	}
	return nil
}

// inspectHeader reads the first hundred bytes, see https://sqlite.org/fileformat2.html#the_database_header.
func inspectHeader(path string) (size int64, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return 0, errors.New("is not a file")
	case info.Mode().Perm()&0o222 == 0: // the administrator, too, is asked not to write to it
		return 0, errors.New("is read-only")
	case info.Size() == 0:
		return 0, errors.New("is an empty file; remove it to start anew")
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot be written: %w", err)
	}
	defer file.Close()
	header := make([]byte, 100)
	if _, err := io.ReadFull(file, header); err != nil || !bytes.HasPrefix(header, []byte("SQLite format 3\x00")) {
		return 0, errors.New("is not an SQLite database, or is damaged")
	}
	if binary.BigEndian.Uint32(header[68:]) != applicationID {
		return 0, errors.New("is not a Runboard database")
	}
	if version := int(binary.BigEndian.Uint32(header[60:])); version > schemaVersion {
		return 0, errNewer(version)
	}
	return info.Size(), nil
}

func errNewer(version int) error {
	return fmt.Errorf("was made by a newer version of Runboard (schema %d, this one knows %d)", version, schemaVersion)
}

func damaged(err error) error { return fmt.Errorf("cannot be used, or is damaged: %w", err) }

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
