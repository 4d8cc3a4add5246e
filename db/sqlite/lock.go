package sqlite

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/gofrs/flock"
)

var errInUse = errors.New("is in use by another process")

// lockName makes this process the only one that uses the file by this name, be there a file or not yet.
// A lock counts only while its name leads to it. So its holder may remove it, and who then gets hold of
// what was removed tries again: otherwise two would hold a lock each.
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

// unlockName leaves no lock behind. It is removed while it is held: afterwards it may be another's.
func unlockName(lock *flock.Flock) error {
	return errors.Join(remove(lock.Path()), lock.Unlock())
}

// isThere reports whether the name of a lock that is held leads to it.
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

// lockFile makes this process the only one that uses the file by whatever name: a hard link, a name that
// it was moved to, a mount. The lock may be released only when SQLite has closed the file, because closing
// any descriptor of a file drops all locks that SQLite has on it in the same process. For that reason, too,
// lockName comes first: no process gets here twice by one name.
//
// It is nil where this lock would shut out SQLite's own locks, as it does on the BSDs and macOS.
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
