package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
)

// A file may be older than the index, or a build without FTS5 may have written to it.
func TestSearch_IndexesOlderTexts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openStore(t, Options{Path: path, Secrets: newBox(t)})
	if !store.options.searchable {
		if _, err := store.Page(ctx,
			app.Query{Filter: app.Filter{Text: "needle"}}); app.CodeOf(err) != app.CodeInvalid {
			t.Errorf("an engine that cannot search says: %v", err)
		}
		return
	}
	finish(t, store, create(t, store, 1)[0], app.Failed)
	finishWithLog(t, store, create(t, store, 1)[0], 3)
	createWith(t, store, 1, app.InputValues{
		{Name: "first", Type: app.TextInput, Texts: []string{"hay"}},
		{Name: "second", Type: app.ChoicesInput, Texts: []string{"other", "needle"}},
	})
	createWith(t, store, 1, app.InputValues{{Name: "token", Type: app.SecretInput,
		Texts: []string{"needle"}}})
	closeStore(t, store)
	pool, err := openPool(ctx, sqliteDriver, writerDSN(path, "full"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("DROP TABLE run_search; DROP TRIGGER run_search_clear_error"); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, Options{Path: path})
	page, err := again.Page(ctx, app.Query{Filter: app.Filter{Text: "needle"}})
	if err != nil || len(page.Runs) != 3 {
		t.Errorf("it finds %v: %v", page.Runs, err)
	}
}

func TestSearch_WithoutFTS5IsRefused(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	store.options.searchable = false // as in a build without the tag sqlite_fts5
	filter := app.Filter{Text: "needle"}
	_, err := store.Page(ctx, app.Query{Filter: filter})
	if app.CodeOf(err) != app.CodeInvalid || !strings.Contains(err.Error(), "cannot search in texts") {
		t.Errorf("a list: %v", err)
	}
	if _, err := store.PreviewBulk(ctx, app.BulkAction{Operation: app.BulkRetry,
		Filter: filter}); app.CodeOf(err) != app.CodeInvalid {
		t.Errorf("an action: %v", err)
	}
	if _, _, err := store.Runs(ctx, filter, 1<<60, 10); app.CodeOf(err) != app.CodeInvalid {
		t.Errorf("an export: %v", err)
	}
}

// withoutSearch is a driver that reports a build without FTS5.
const withoutSearch = "sqlite3_without_search"

var registerWithoutSearch = sync.OnceFunc(func() {
	sql.Register(withoutSearch, &sqlite3.SQLiteDriver{ConnectHook: func(conn *sqlite3.SQLiteConn) error {
		return conn.RegisterFunc("sqlite_compileoption_used", func(string) bool { return false }, true)
	}})
})

func TestSearch_WithoutFTS5RefusesIndexedFile(t *testing.T) {
	t.Parallel()
	registerWithoutSearch()
	path := closedFile(t)
	inspect := func() error {
		pool, err := openPool(ctx, withoutSearch, inspectDSN(path), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		return inspectSearch(ctx, pool)
	}
	if err := inspect(); err == nil || !strings.Contains(err.Error(), "-tags sqlite_fts5") {
		t.Errorf("a file with the index: %v", err)
	}
	change(t, path, "DROP TABLE run_search")
	if err := inspect(); err != nil {
		t.Errorf("a file without it: %v", err)
	}
}
