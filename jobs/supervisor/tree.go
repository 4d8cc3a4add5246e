package supervisor

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Notice is something that the operator should know, as for slog.
type Notice struct {
	Text string
	Args []any
}

// RemoveTree removes a directory and all that is in it, also what a command has made read-only.
func RemoveTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || os.Geteuid() == 0 {
		return err // for root the modes are not what is in the way, and a link could lead it astray
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700) // #nosec G302 -- a directory; what cannot be changed is said below
		}
		return nil
	})
	return os.RemoveAll(dir)
}
