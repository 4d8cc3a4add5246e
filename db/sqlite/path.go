package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links one name may go through, as in Linux.
const maxLinks = 40

// realPath follows links to the file that path names, which need not exist yet: so a new database is made where a link
// leads and does not replace it, and all names of one file share one lock. Like the kernel, and unlike filepath.Clean, it
// goes up from where a link leads.
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
		case err != nil: // it is no link, or not there
			return name, nil
		case filepath.IsAbs(target):
			name = target
		default:
			name = real + string(filepath.Separator) + target
		}
	}
	return "", errors.New("is a symbolic link that leads to itself, or through too many others")
}

// absolute is the path from the root, with all links and dots in it.
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

// uri is the path as a part of an address, where some characters have a meaning.
func uri(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
