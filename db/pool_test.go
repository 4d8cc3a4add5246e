package db

import (
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
)

func TestEveryConnectionHasItsPragmas(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"full", "normal"} {
		store := newStore(t, Options{Synchronous: synchronous})
		if err := verifyPragmas(ctx, store.reader, readerPragmas()); err != nil {
			t.Errorf("a reader %v", err)
		}
		for _, wanted := range writerPragmas(synchronous) {
			var got string
			if err := store.writer.statements.conn.GetContext(ctx, &got, "PRAGMA "+wanted.name); err != nil || got != wanted.value {
				t.Errorf("the writer's %s is %q and not %q: %v", wanted.name, got, wanted.value, err)
			}
		}
	}
}

func TestAReaderCannotWrite(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	if _, err := store.reader.Exec("DELETE FROM process_runs"); err == nil {
		t.Error("it could")
	}
}

func TestAMisspeltOptionIsNoticed(t *testing.T) {
	t.Parallel()
	path := closedFile(t)
	for _, c := range []struct{ name, dsn, option, misspelt string }{
		{"the writer's synchronous", writerDSN(path, "full"), "_synchronous=", "_synchronus="},
		{"the writer's timeout", strings.Replace(writerDSN(path, "full"), "5000", "5001", 1), "", ""},
		{"the writer's foreign keys", writerDSN(path, "full"), "_foreign_keys=", "_foriegn_keys="},
		{"the reader's query_only", readerDSN(path), "_query_only=", "_pragma=query_only="},
		{"the reader's timeout", strings.Replace(readerDSN(path), "5000", "0", 1), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := openDSN(t, strings.Replace(c.dsn, c.option, c.misspelt, 1))
			wanted := writerPragmas("full")
			if strings.Contains(c.dsn, "mode=ro") {
				wanted = readerPragmas()
			}
			err := verifyPragmas(ctx, pool, wanted)
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("it was taken: %v", err)
			}
		})
	}
}

func TestOneWrongConnectionOfManyIsNoticed(t *testing.T) {
	t.Parallel()
	for wrong := range readers {
		pool, err := openPool(ctx, sqliteDriver, readerDSN(closedFile(t)), readers)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		if err := verifyPragmas(ctx, pool, readerPragmas()); err != nil {
			t.Fatal(err)
		}
		misconfigure(t, pool, wrong)
		if err := verifyPragmas(ctx, pool, readerPragmas()); err == nil {
			t.Errorf("number %d was taken", wrong)
		}
	}
}

// misconfigure changes a setting of one connection of a pool.
func misconfigure(t *testing.T, pool *sqlx.DB, wrong int) {
	t.Helper()
	for i := range pool.Stats().MaxOpenConnections {
		conn, err := pool.Connx(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // when all are taken, so that each is another one
		if i == wrong {
			if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 1"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAnUnknownSynchronousIsRefused(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"off", "fulll", "FULL"} {
		if _, err := Open(ctx, Options{Path: closedFile(t), Synchronous: synchronous}); err == nil {
			t.Errorf("%q was taken", synchronous)
		}
	}
}

// closedFile is a database of ours that nobody has open.
func closedFile(t *testing.T) string {
	t.Helper()
	store := newStore(t, Options{})
	closeStore(t, store)
	return store.options.Path
}

func openDSN(t *testing.T, dsn string) *sqlx.DB {
	t.Helper()
	pool, err := openPool(ctx, sqliteDriver, dsn, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}
