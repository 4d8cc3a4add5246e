package sqlite

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"runboard/app"
	"runboard/db/dbtest"
)

func TestSQLite_IsStore(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, suiteSubject)
}

func TestSQLite_IsQueueStore(t *testing.T) {
	t.Parallel()
	dbtest.RunQueue(t, suiteSubject)
}

var suiteSubject = dbtest.Subject{Open: openForSuite, Reopen: reopenForSuite, Rows: rowsForSuite,
	Exec: execForSuite}

func execForSuite(t dbtest.TB, store dbtest.Store, statement string) {
	t.Helper()
	err := store.(*Store).write(ctx, func(tx *transaction) error { return tx.Exec(statement) })
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func rowsForSuite(t dbtest.TB, store dbtest.Store, table string) (n int) {
	t.Helper()
	if err := store.(*Store).readers[app.ForPages].Get(&n, "SELECT COUNT(*) FROM "+table); err != nil {
		t.Fatalf("the rows of %s cannot be counted: %v", table, err)
	}
	return n
}

func openForSuite(t dbtest.TB, settings dbtest.Settings) dbtest.Store {
	t.Helper()
	dir, err := os.MkdirTemp("", "runboard")
	if err != nil {
		t.Fatalf("cannot create a directory: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "runs.db")
	writeEmptyFile(t, path)
	return openSuiteStore(t, Options{
		Path: path, Synchronous: "normal", MaxPending: settings.MaxPending, MaxCrashes: settings.MaxCrashes,
		LogLimit: settings.LogLimit, MaxLogBytes: settings.MaxLogBytes,
		Kinds:   func() []string { return settings.Kinds },
		Workers: settings.Workers,
		Now:     settings.Now, searched: settings.Searched,
		Definitions: settings.Definitions, Secrets: func() *app.SecretBox { return settings.Secrets },
		StartDelay: settings.StartDelay, Log: slog.New(slog.DiscardHandler),
	})
}

func openSuiteStore(t dbtest.TB, options Options) *Store {
	t.Helper()
	store, err := Open(ctx, options)
	if err != nil {
		t.Fatalf("cannot open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Fatalf("cannot close the store: %v", err)
		}
	})
	return store
}

func reopenForSuite(t dbtest.TB, store dbtest.Store) dbtest.Store {
	t.Helper()
	closing := store.(*Store)
	if err := closing.Close(); err != nil {
		t.Fatalf("cannot close the store: %v", err)
	}
	return openSuiteStore(t, closing.options)
}
