package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
)

func TestEmptyFile_IsFilledInPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	overwrite(t, path, nil)
	overwrite(t, path+"-wal", nil)
	before, err := os.Stat(path)
	must(t, err)
	store := openStore(t, Options{Path: path})
	create(t, store, 2)
	closeStore(t, store)
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("another file is in its place: %v", err)
	}
	wantFiles(t, path, "runs.db")
	if counts := checkCounts(t, openStore(t, Options{Path: path})); counts.Total() != 2 {
		t.Errorf("the counts are %v", counts)
	}
}

// steps are the states in which a killed process may leave fillEmpty.
var steps = map[string]func(path string) error{
	"before anything": func(string) error { return nil },
	"signed":          func(path string) error { return writeApplicationID(ctx, path) },
	"with a log, and nothing in it": func(path string) error {
		pool, err := openPool(ctx, sqliteDriver, writerDSN(path, "full"), 1)
		if err != nil {
			return err
		}
		return pool.Close()
	},
	"with a list of migrations": func(path string) error {
		return someMigrations(path,
			"CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER "+
				"NOT NULL, "+
				"is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now'))); "+
				"INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)")
	},
}

func someMigrations(path, text string) error {
	pool, err := sqlx.Open(sqliteDriver, writerDSN(path, "full"))
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.Exec(text)
	return err
}

func TestEmptyFile_IsFilledAfterInterruptedStart(t *testing.T) {
	t.Parallel()
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			overwrite(t, path, nil)
			if name != "before anything" {
				must(t, writeApplicationID(ctx, path))
			}
			must(t, step(path))
			create(t, openStore(t, Options{Path: path}), 1)
		})
	}
}

func TestEmptyFile_StaysEmptyIfFillingFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	overwrite(t, path, nil)
	if _, err := Open(ctx, Options{Path: path, Synchronous: "fulll"}); err == nil ||
		!strings.Contains(err.Error(), "is an empty file that cannot be filled") {
		t.Errorf("the error is %v", err)
	}
	wantFiles(t, path, "runs.db")
	if size(t, path) != 0 {
		t.Errorf("it has %d bytes now", size(t, path))
	}
}

func TestDatabase_IsPrivateToItsOwner(t *testing.T) {
	t.Parallel()
	old := newStore(t, Options{})
	create(t, old, 3)
	path := copyOf(t, old.options.Path) // with a write-ahead log, as after a crash
	for _, suffix := range []string{"", "-wal"} {
		must(t, os.Chmod(path+suffix, 0o644))
	}
	store := openStore(t, Options{Path: path})
	create(t, store, 1)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q has the mode %v: %v", suffix, info.Mode(), err)
		}
	}
	if said := warnings(store); !strings.Contains(said, "other users could reach the database") ||
		!strings.Contains(said, "0644") {
		t.Errorf("the warnings are %s", said)
	}
}

// warnings returns the warnings of an open store.
func warnings(store *Store) string { return fmt.Sprint(store.Warnings()) }

func TestDatabase_WarnsOfHardLinks(t *testing.T) {
	t.Parallel()
	path := closedFile(t)
	if said := warnings(openStore(t, Options{Path: path})); said != "[]" {
		t.Errorf("with one name the warnings are %s", said)
	}
	path = closedFile(t)
	must(t, os.Link(path, path+".too"))
	if said := warnings(openStore(t, Options{Path: path})); !strings.Contains(said, "hard links") {
		t.Errorf("with two names the warnings are %s", said)
	}
}
