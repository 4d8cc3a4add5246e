package db

import (
	"path/filepath"
	"strings"
	"testing"

	"runboard/app"
)

// A file may be older than the index, or have been used by an engine that cannot search.
func TestSearch_FindsTextsFromBeforeTheIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openStore(t, Options{Path: path})
	if !store.options.searchable {
		if _, err := store.Page(ctx, app.Query{Filter: app.Filter{Text: "needle"}}); app.CodeOf(err) != app.CodeInvalid {
			t.Errorf("an engine that cannot search says: %v", err)
		}
		return
	}
	finish(t, store, create(t, store, 1)[0], app.Failed)
	finishWithLog(t, store, create(t, store, 1)[0], 3)
	closeStore(t, store)
	pool, err := openPool(ctx, sqliteDriver, writerDSN(path, "full"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("DROP TABLE run_search; DROP TRIGGER error_changes"); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, Options{Path: path})
	page, err := again.Page(ctx, app.Query{Filter: app.Filter{Text: "needle"}})
	if err != nil || len(page.Runs) != 2 {
		t.Errorf("it finds %v: %v", page.Runs, err)
	}
}

func TestAnEngineThatCannotSearchSaysSo(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	store.options.searchable = false // as without the tag sqlite_fts5
	filter := app.Filter{Text: "needle"}
	_, err := store.Page(ctx, app.Query{Filter: filter})
	if app.CodeOf(err) != app.CodeInvalid || !strings.Contains(err.Error(), "cannot search in texts") {
		t.Errorf("a list: %v", err)
	}
	if _, err := store.Foresee(ctx, app.Action{Deed: app.DeedRetry, Filter: filter}); app.CodeOf(err) != app.CodeInvalid {
		t.Errorf("an action: %v", err)
	}
	if _, _, err := store.Runs(ctx, filter, 1<<60, 10); app.CodeOf(err) != app.CodeInvalid {
		t.Errorf("an export: %v", err)
	}
}

func TestSearch_WithoutTheEngineRefusesAFileThatHasIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ can, has, refused bool }{{true, true, false}, {true, false, false}, {false, false, false}, {false, true, true}} {
		err := checkSearch(c.can, c.has)
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "-tags sqlite_fts5") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
