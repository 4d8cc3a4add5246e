package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// applicationID identifies our files, in the header; the migration writes it.
const applicationID = 0x52756e62 // "Runb"

// quickCheckLimit is the size in bytes up to which a start reads the whole file to verify it: 500 MB take
// about a second. Damage in a larger file shows when SQLite reads the damaged page.
const quickCheckLimit = 64 << 20

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
	if err := checkSchema(ctx, pool); err != nil {
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
		line := strings.Join(strings.Fields(verdict), " ")
		return fmt.Errorf("is damaged: %s", line)
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

// isSmall reports whether a start may read the whole file, see quickCheckLimit.
func isSmall(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("cannot be read: %w", err)
	}
	return info.Size() <= quickCheckLimit, nil
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
	_, err = io.ReadFull(file, header)
	if err != nil || !bytes.HasPrefix(header, []byte("SQLite format 3\x00")) {
		return errors.New("is not an SQLite database, or is damaged")
	}
	if binary.BigEndian.Uint32(header[68:]) != applicationID {
		return errors.New("is not a Runboard database")
	}
	return nil
}

func errCorrupt(err error) error { return fmt.Errorf("cannot be used, or is damaged: %w", err) }
