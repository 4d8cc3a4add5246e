package harness

import (
	"path/filepath"
	"testing"

	"runboard/app"
	"runboard/db/sqlite"
)

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
