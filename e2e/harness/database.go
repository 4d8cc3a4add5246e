package harness

import (
	"context"
	"flag"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/sqlite"
)

// SkipOnPostgres skips a test with -postgres if the store makes no difference to it: it tests HTTP, the
// browser, or a SQLite file.
func SkipOnPostgres(t testing.TB) {
	t.Helper()
	if *onPostgres {
		t.Skip("the store makes no difference to this test")
	}
}

// WithRunsOf creates a SQLite database with n waiting runs of a kind and returns its path.
func WithRunsOf(t *testing.T, kind string, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), app.CreateRequest{Kind: kind, Count: n}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// onPostgres selects PostgreSQL as the store of the boards. It must make no difference to the tests.
var onPostgres = flag.Bool("postgres", false, "keep runs in PostgreSQL instead of in files")

// NewDatabase returns the URL of an empty database, or of one that does not exist yet, for this test alone.
func NewDatabase(t testing.TB) string {
	t.Helper()
	if *onPostgres {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "runboard.db")
}

// LockDatabase locks a SQLite file until unlock is called. The server cannot write meanwhile, as with a full
// disk.
func LockDatabase(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sqlx.Connect("sqlite3", "file:"+path+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTxx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}
