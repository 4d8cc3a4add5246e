package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// prepareFile makes sure that options.Path is a usable database and that no other process uses it. It creates
// the database if there is no file or an empty one, and otherwise inspects it without changing it.
func (s *Store) prepareFile(ctx context.Context) (err error) {
	path := s.options.Path
	if _, err = os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err = createFile(ctx, path, s.options.Synchronous); err != nil {
			return err
		}
	}
	if err = inspectFile(path); err != nil {
		return err
	}
	if s.inodeLock, err = lockInode(path); err != nil { // before reading what another process may be changing
		return err
	}
	if err = fillEmpty(ctx, path, s.options.Synchronous); err != nil {
		return err
	}
	if err = inspectHeader(path); err != nil {
		return err
	}
	return inspectContent(ctx, path)
}

// fillEmpty creates the database inside an empty file. It does not rename another file over it, because the
// file may be mounted by itself. It writes the application id first, so the next start recognizes the file
// after a crash and continues.
func fillEmpty(ctx context.Context, path, synchronous string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if info.Size() > 0 {
		return nil
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return errors.New("is an empty file, but has a write-ahead log beside it; " +
			"put the database back, or remove both to start anew")
	}
	defer func() {
		if err != nil {
			_ = remove(path+"-wal", path+"-shm", path+"-journal")
			err = errors.Join(err, os.Truncate(path, 0))
			err = fmt.Errorf("is an empty file that cannot be filled: %w", err)
		}
	}()
	if err := writeApplicationID(ctx, path); err != nil {
		return err
	}
	return initSchema(ctx, path, synchronous)
}

// writeApplicationID writes the header of an empty file with our application id, and nothing else.
func writeApplicationID(ctx context.Context, path string) error {
	pool, err := openPool(ctx, sqliteDriver, rollbackDSN(path), 1)
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return errors.Join(err, pool.Close())
}

// Warning is a log message with its attributes.
type Warning struct {
	Text string
	Args []any
}

// Warnings returns what may endanger the file, for the operator. Open does not log it, because the first line
// of the log says where the server listens.
func (s *Store) Warnings() []Warning { return s.warnings }

func (s *Store) warn(text string, args ...any) {
	s.warnings = append(s.warnings, Warning{Text: text, Args: args})
}

// restrictPermissions removes the permissions of other users on an existing database and the files beside it,
// because its logs may hold secrets and SQLite creates files beside it with the same permissions. It warns
// about what it changed or could not change.
func (s *Store) restrictPermissions() {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		path := s.options.Path + suffix
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		mode := fmt.Sprintf("%04o", info.Mode().Perm())
		if err := os.Chmod(path, 0o600); err != nil {
			s.warn("other users can reach the database, and this cannot be changed",
				"file", path, "mode", mode, "error", err)
			continue
		}
		s.warn("other users could reach the database; now only its owner can", "file", path, "mode", mode)
	}
}

// warnOfLinks warns about a file whose write-ahead log may be missing after a crash. The log lies beside the
// name that opened the file: a start by another name does not find it, and a mount of the file alone does not
// keep it.
func (s *Store) warnOfLinks() {
	path := s.options.Path
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
		s.warn("the database has several names (hard links): always open it by the same one, "+
			"or the newest changes are lost after a crash", "file", path, "names", uint64(stat.Nlink))
	}
	if isMount(path) {
		s.warn("the database is mounted as a single file: mount its directory instead, "+
			"or the newest changes are lost when the container is killed and removed", "file", path)
	}
}

// createFile creates the database under a temporary name and renames it, so a crash never leaves an
// incomplete file that the next start would refuse.
func createFile(ctx context.Context, path, synchronous string) (err error) {
	tmp := path + ".new"
	defer func() {
		if err != nil {
			_ = remove(tmp, tmp+"-wal", tmp+"-shm")
			err = fmt.Errorf("cannot be created: %w", err)
		}
	}()
	// A write-ahead log without its database is useless, and SQLite would replay it into the new one.
	if err := remove(tmp, tmp+"-wal", tmp+"-shm", path+"-wal", path+"-shm"); err != nil {
		return err
	}
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := initSchema(ctx, tmp, synchronous); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// remove removes files. It ignores those that do not exist.
func remove(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// initSchema gives an empty file the schema and closes it, with no write-ahead log beside it.
func initSchema(ctx context.Context, path, synchronous string) error {
	pool, err := openPool(ctx, sqliteDriver, writerDSN(path, synchronous), 1)
	if err != nil {
		return err
	}
	return errors.Join(migrate(ctx, pool.DB), pool.Close())
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
