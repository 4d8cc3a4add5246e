package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

func TestPool_SetsPragmasOfEveryConnection(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"full", "normal"} {
		store := newStore(t, Options{Synchronous: synchronous})
		for purpose, reader := range store.readers {
			if err := verifyPragmas(ctx, reader, readerPragmas()); err != nil {
				t.Errorf("a reader for the purpose %d %v", purpose, err)
			}
		}
		for _, wanted := range writerPragmas(synchronous) {
			var got string
			if err := store.writer.conn.GetContext(ctx, &got, "PRAGMA "+wanted.name); err != nil ||
				got != wanted.value {
				t.Errorf("the writer's %s is %q and not %q: %v", wanted.name, got, wanted.value, err)
			}
		}
	}
}

func TestPool_ReaderCannotWrite(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for purpose, reader := range store.readers {
		if _, err := reader.Exec("DELETE FROM process_runs"); err == nil {
			t.Errorf("a reader for the purpose %d could", purpose)
		}
	}
}

func TestPragmas_DetectMisspeltOption(t *testing.T) {
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

func TestPragmas_DetectOneWrongConnection(t *testing.T) {
	t.Parallel()
	const size = 4
	for wrong := range size {
		pool, err := openPool(ctx, sqliteDriver, readerDSN(closedFile(t)), size)
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

// misconfigure changes a setting of the connection number wrong of a pool.
func misconfigure(t *testing.T, pool *sqlx.DB, wrong int) {
	t.Helper()
	for i := range pool.Stats().MaxOpenConnections {
		conn, err := pool.Connx(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // held until the end, so that each is a different one
		if i == wrong {
			if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 1"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpen_RefusesUnknownSynchronous(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"off", "fulll", "FULL"} {
		if _, err := Open(ctx, Options{Path: closedFile(t), Synchronous: synchronous}); err == nil {
			t.Errorf("%q was taken", synchronous)
		}
	}
}

// closedFile returns the path of a valid database that no process has open.
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

// block takes all reading connections for the purposes, as slow readers do.
func block(t *testing.T, store *Store, purposes ...app.Purpose) {
	t.Helper()
	for _, purpose := range purposes {
		for range readers[purpose] {
			conn, err := store.readers[purpose].Connx(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}
}

// purposes are reads with the purpose whose connections they use.
var purposes = map[string]struct {
	purpose app.Purpose
	read    func(context.Context, *Store) error
}{
	"a page": {app.ForPages, func(ctx context.Context, s *Store) error {
		_, err := s.Page(ctx, app.Query{})
		return err
	}},
	"a run": {app.ForPages, func(ctx context.Context, s *Store) error {
		_, err := s.Run(ctx, 1)
		return err
	}},
	"a search": {app.ForLong, func(ctx context.Context, s *Store) error {
		_, err := s.Page(ctx, app.Query{Filter: app.Filter{Text: "word"}})
		return err
	}},
	"an export": {app.ForLong, func(ctx context.Context, s *Store) error {
		_, _, err := s.Runs(ctx, app.Filter{}, 10, 10)
		return err
	}},
	"a preview": {app.ForLong, func(ctx context.Context, s *Store) error {
		_, err := s.PreviewBulk(ctx, app.BulkAction{Operation: app.BulkDelete})
		return err
	}},
	"an open page": {app.ForLive, func(ctx context.Context, s *Store) error {
		_, err := s.Page(app.WithPurpose(ctx, app.ForLive), app.Query{})
		return err
	}},
	"an open search": {app.ForLive, func(ctx context.Context, s *Store) error {
		_, err := s.Page(app.WithPurpose(ctx, app.ForLive), app.Query{Filter: app.Filter{Text: "word"}})
		return err
	}},
	"what is to be started": {app.ForQueue, func(ctx context.Context, s *Store) error {
		_, err := s.FetchDue(ctx, []app.DueKind{{Name: kind}}, 10)
		return err
	}},
	"what is to be stopped": {app.ForQueue, func(ctx context.Context, s *Store) error {
		_, err := s.CancelRequests(ctx)
		return err
	}},
}

func TestReads_OfOnePurposeDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	for purpose := range readers {
		t.Run(fmt.Sprint("without connections for the purpose ", purpose), func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			run := start(t, store, create(t, store, 2)[0])
			if _, err := store.Cancel(ctx, run.ID); err != nil { // otherwise CancelRequests does not read
				t.Fatal(err)
			}
			block(t, store, purpose)
			for name, one := range purposes {
				if one.purpose == purpose {
					continue
				}
				answered := make(chan error, 1)
				go func() { answered <- one.read(ctx, store) }()
				select {
				case err := <-answered:
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				case <-time.After(patience): // FetchDue has no deadline
					t.Errorf("%s waits for a connection", name)
				}
			}
		})
	}
}

func TestReads_WaitForConnectionOfTheirPurpose(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 1)
	block(t, store, app.ForPages, app.ForLong, app.ForLive)
	for name, one := range purposes {
		if one.purpose == app.ForQueue {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, time.Millisecond)
		if err := one.read(limited, store); app.CodeOf(err) != app.CodeUnavailable {
			t.Errorf("%s has a connection of its own: %v", name, err)
		}
		cancel()
	}
}
