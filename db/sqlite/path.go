package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links one path may go through, as in Linux.
const maxLinks = 40

// realPath resolves all symbolic links of path to the file, which need not exist yet. So a new database is
// created where a link points and does not replace the link, and all paths of one file share one lock. Like
// the kernel, and unlike filepath.Clean, it resolves ".." against the target of a link.
func realPath(path string) (string, error) {
	name, err := absolute(path)
	if err != nil {
		return "", err
	}
	for links := range maxLinks {
		dir, file := filepath.Split(name)
		real, err := filepath.EvalSymlinks(dir)
		switch {
		case err != nil && links == 0:
			return "", fmt.Errorf("is in a directory that cannot be used: %w", err)
		case err != nil:
			return "", fmt.Errorf("is a link to %s, whose directory cannot be used: %w", name, err)
		case file == "" || file == "." || file == "..":
			return "", errors.New("is not a file")
		}
		name = filepath.Join(real, file)
		target, err := os.Readlink(name)
		switch {
		case err != nil: // not a link, or it does not exist
			return name, nil
		case filepath.IsAbs(target):
			name = target
		default:
			name = real + string(filepath.Separator) + target
		}
	}
	return "", errors.New("is a symbolic link that leads to itself, or through too many others")
}

// absolute returns path from the root, with its links and dots unresolved.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot be found: %w", err)
	}
	return here + string(filepath.Separator) + path, nil
}

// uri escapes path for a file: URI.
func uri(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
