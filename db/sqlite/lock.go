package sqlite

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/gofrs/flock"
)

var errInUse = errors.New("is in use by another process")

// lockPath locks path for this process, whether the file exists yet or not. It fails with errInUse if another
// process holds the lock.
//
// The lock file counts only while its path leads to the locked inode. So the holder may remove it, and a
// process that then locks the removed inode tries again: otherwise two processes would hold a lock each.
func lockPath(path string) (*flock.Flock, error) {
	for {
		lock := flock.New(path+".lock", flock.SetPermissions(0o600))
		if err := tryLock(lock); err != nil {
			return nil, err
		}
		there, err := samePath(lock)
		if there {
			return lock, nil
		}
		if err := errors.Join(err, lock.Unlock()); err != nil {
			return nil, cannotBeLocked(err)
		}
	}
}

// unlockPath removes the lock file and releases the lock. It removes the file first, because after the
// release it may belong to another process.
func unlockPath(lock *flock.Flock) error {
	return errors.Join(remove(lock.Path()), lock.Unlock())
}

// samePath reports whether the path of a held lock still leads to the locked inode.
func samePath(lock *flock.Flock) (bool, error) {
	held, err := lock.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(lock.Path())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(held, named), err
}

// lockInode locks the file itself for this process, under all its names: hard links, new names after a move,
// mounts. Release the lock only after SQLite has closed the file, because closing any descriptor of a file
// drops all locks that SQLite holds on it in the same process. For the same reason lockPath comes first: it
// keeps this process from locking one path twice.
//
// It returns nil where this lock would exclude SQLite's own locks, as on the BSDs and macOS.
func lockInode(path string) (*flock.Flock, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	return lock, tryLock(lock)
}

func tryLock(lock *flock.Flock) error {
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return cannotBeLocked(err)
	case !locked:
		return errInUse
	}
	return nil
}

func cannotBeLocked(err error) error { return fmt.Errorf("cannot be locked: %w", err) }
