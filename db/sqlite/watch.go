package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// watchedFile is a file of an open database, as it was when the database was opened. SQLite keeps using a
// file that has been deleted or replaced, and everything that it then writes is lost at the next start.
type watchedFile struct {
	what string // its name in messages
	name string // the path by which the next start opens it
	full bool   // it is never empty; the log may be
	was  os.FileInfo
}

// watchFiles returns the files of a database that has just been opened. It watches given, the operator's
// path, because links in that path can change as well.
func watchFiles(given, real string) (files []watchedFile, err error) {
	if given, err = absolute(given); err != nil {
		return nil, err
	}
	files = []watchedFile{
		{what: "the database", name: given, full: true},
		{what: "its write-ahead log", name: real + "-wal"},
	}
	for i := range files {
		if files[i].was, err = os.Stat(files[i].name); err != nil {
			return nil, fmt.Errorf("cannot be watched: %w", err)
		}
	}
	return files, nil
}

// lost returns nil while every file is in place, or an error that says what happened to one.
func lost(files []watchedFile) error {
	for _, file := range files {
		now, err := os.Stat(file.name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("%s has been deleted: %s", file.what, file.name)
		case err != nil:
			return fmt.Errorf("%s cannot be found: %w", file.what, err)
		case !os.SameFile(file.was, now):
			return fmt.Errorf("%s has been replaced by another file: %s", file.what, file.name)
		case file.full && now.Size() == 0:
			return fmt.Errorf("%s has been emptied: %s", file.what, file.name)
		}
	}
	return nil
}
