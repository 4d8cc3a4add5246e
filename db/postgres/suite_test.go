package postgres

import (
	"log/slog"
	"testing"

	"runboard/app"
	"runboard/db/dbtest"
	"runboard/db/pgtest"
)

func TestPostgreSQL_IsStore(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, dbtest.Subject{
		Open: openForSuite, Reopen: reopenForSuite, Rows: rowsForSuite, Exec: execForSuite,
	})
}

func execForSuite(t dbtest.TB, store dbtest.Store, statement string) {
	t.Helper()
	if _, err := store.(*Store).db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func rowsForSuite(t dbtest.TB, store dbtest.Store, table string) (n int) {
	t.Helper()
	if err := store.(*Store).db.Get(&n, "SELECT COUNT(*) FROM "+table); err != nil {
		t.Fatalf("the rows of %s cannot be counted: %v", table, err)
	}
	return n
}

// migrated is a template with all migrations.
var migrated = pgtest.NewTemplate(func(address string) error {
	store, err := Open(ctx, Options{URL: address, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return store.Close()
})

func openForSuite(t dbtest.TB, settings dbtest.Settings) dbtest.Store {
	t.Helper()
	return openSuiteStore(t, Options{
		URL: migrated.Copy(t), MaxPending: settings.MaxPending, MaxCrashes: settings.MaxCrashes,
		LogLimit: settings.LogLimit, MaxLogBytes: settings.MaxLogBytes, Kinds: func() []string { return settings.Kinds },
		Workers: settings.Workers,
		Now:     settings.Now, searched: settings.Searched, MaxConns: 5,
		Definitions: settings.Definitions, Secrets: func() *app.SecretBox { return settings.Secrets }, StartDelay: settings.StartDelay, Log: slog.New(slog.DiscardHandler),
	})
}

func openSuiteStore(t dbtest.TB, options Options) *Store {
	t.Helper()
	if options.tickEvery == 0 { // some tests expect no more notifications than changes
		options.onlyNotified = true
	}
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

// reopenForSuite opens the database again, and deals with what was started as an engine does when workers are
// lost.
func reopenForSuite(t dbtest.TB, store dbtest.Store) dbtest.Store {
	t.Helper()
	closing := store.(*Store)
	if err := closing.Close(); err != nil {
		t.Fatalf("cannot close the store: %v", err)
	}
	again := openSuiteStore(t, closing.options)
	started, _, err := again.Runs(ctx, app.Filter{Filtered: true, Status: app.Started}, 1<<60, 1000)
	if err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	for _, run := range started {
		if err := again.Rescue(ctx, run); err != nil {
			t.Fatalf("run %d cannot be recovered: %v", run.ID, err)
		}
	}
	return again
}
