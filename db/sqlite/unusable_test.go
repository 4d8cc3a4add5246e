package sqlite

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unusable are the files that Open must refuse, with a word of the reason.
var unusable = []struct {
	name, reason string
	spoil        func(t *testing.T, path string)
}{
	{"an empty file that may not be written", "read-only", func(t *testing.T, path string) {
		overwrite(t, path, nil)
		if err := os.Chmod(path, 0o444); err != nil {
			t.Fatal(err)
		}
	}},
	{"an empty file beside a log", "log beside it", func(t *testing.T, path string) {
		overwrite(t, path, nil)
		overwrite(t, path+"-wal", []byte("what was written last"))
	}},
	{"a text", "not an SQLite database", func(t *testing.T, path string) {
		overwrite(t, path, bytes.Repeat([]byte("Dear diary, today I was not a database.\n"), 1000))
	}},
	{"a short text", "not an SQLite database",
		func(t *testing.T, path string) { overwrite(t, path, []byte("Hello.")) }},
	{"no more than a header", "", func(t *testing.T, path string) { truncate(t, path, 100) }},
	{"half a header", "not an SQLite database", func(t *testing.T, path string) { truncate(t, path, 50) }},
	{"another program's database", "not a Runboard database", func(t *testing.T, path string) {
		overwrite(t, path, nil)
		change(t, path, "CREATE TABLE recipes (name TEXT)")
	}},
	{"a newer schema", "newer version", func(t *testing.T, path string) {
		change(t, path, "PRAGMA journal_mode = DELETE; "+newerSchema)
	}},
	{"the middle cut out", "damaged", func(t *testing.T, path string) { truncate(t, path, size(t, path)/2) }},
	{"an end within a page", "damaged", func(t *testing.T,
		path string) {
		truncate(t, path, size(t, path)-1000)
	}},
	{"one bad page in the middle", "damaged", func(t *testing.T, path string) {
		content := read(t, path)
		middle := len(content) / 2 / 4096 * 4096
		copy(content[middle:middle+4096], bytes.Repeat([]byte{0xff}, 4096))
		overwrite(t, path, content)
	}},
	{"no list of migrations", "damaged", func(t *testing.T,
		path string) {
		change(t, path, "DROP TABLE goose_db_version")
	}},
	{"no runs", "damaged", func(t *testing.T, path string) { change(t, path, "DROP TABLE process_runs") }},
	{"no counts", "damaged", func(t *testing.T, path string) { change(t, path, "DROP TABLE status_counts") }},
	{"a file that may not be written", "read-only", func(t *testing.T, path string) {
		if err := os.Chmod(path, 0o444); err != nil {
			t.Fatal(err)
		}
	}},
}

// newerSchema makes a file look as if a newer program had migrated it.
const newerSchema = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)"

func TestOpen_LeavesUnusableFileUntouched(t *testing.T) {
	t.Parallel()
	good := filledFile(t)
	for _, c := range unusable {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			overwrite(t, path, read(t, good))
			c.spoil(t, path)
			wantUntouched(t, path, c.reason)
		})
	}
}

// filledFile returns the path of a closed database with 5,000 runs.
func filledFile(t *testing.T) string {
	t.Helper()
	store := newStore(t, Options{})
	for range 5 {
		create(t, store, 1000)
	}
	closeStore(t, store)
	return store.options.Path
}

func wantUntouched(t *testing.T, path, reason string) {
	t.Helper()
	before, beside := fingerprint(t, path), filesBeside(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first refusal must not affect the second
		if line := refusal(t, path); !strings.Contains(line, reason) {
			t.Errorf("the reason should speak of %q: %s", reason, line)
		}
		if fingerprint(t, path) != before {
			t.Error("the file was changed")
		}
		wantFiles(t, path, beside...)
	}
	if now, err := os.Stat(path); err != nil || !now.ModTime().Equal(info.ModTime()) ||
		now.Mode() != info.Mode() {
		t.Errorf("the file was touched: %v", err)
	}
}

func TestOpen_RefusesNewerSchemaInLog(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 10)
	change(t, store.options.Path, newerSchema)
	path := copyOf(t, store.options.Path)
	log := fingerprint(t, path+"-wal")
	wantUntouched(t, path, "newer version")
	if fingerprint(t, path+"-wal") != log {
		t.Error("the log was changed")
	}
}

func TestOpen_RefusesDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if line := refusal(t, path); !strings.Contains(line, "not a file") {
		t.Errorf("the reason is %s", line)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("the directory holds %v: %v", entries, err)
	}
}

func TestOpen_AcceptsRepairedFile(t *testing.T) {
	t.Parallel()
	path := closedFile(t)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	refusal(t, path)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	create(t, openStore(t, Options{Path: path}), 1)
}

func TestSchema_VersionIsNewestMigration(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if newest := fmt.Sprintf("migrations/%05d_", schemaVersion); err != nil ||
		!strings.HasPrefix(files[len(files)-1], newest) {
		t.Errorf("the migrations are %v, the schema version is %d: %v", files, schemaVersion, err)
	}
	var version, application int
	pool := openReadOnly(t, newStore(t, Options{}).options.Path)
	if err := pool.Get(&version, schemaVersionOf); err != nil || version != schemaVersion {
		t.Errorf("the file says %d and not %d: %v", version, schemaVersion, err)
	}
	if err := pool.Get(&application, "PRAGMA application_id"); err != nil || application != applicationID {
		t.Errorf("the file is of application %x and not %x: %v", application, applicationID, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
