package postgres

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/dbtest"
)

// patience is how long a test waits for what must happen; only a failing test waits so long.
const patience = 30 * time.Second

const kind = "simulated"

var ctx = context.Background()

// newStore opens a new database with these options.
func newStore(t testing.TB, options Options) *Store {
	t.Helper()
	options.URL = migrated.Copy(t)
	return openStore(t, options)
}

func openStore(t dbtest.TB, options Options) *Store {
	t.Helper()
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return openSuiteStore(t, options)
}

// newStores opens a new database as two nodes do.
func newStores(t testing.TB, options Options) (a, b *Store) {
	t.Helper()
	options.URL = migrated.Copy(t)
	return openStore(t, options), openStore(t, options)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, store *Store, n int) []app.ProcessRun {
	t.Helper()
	batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: n})
	ok(t, err)
	return batch.Runs()
}

func start(t testing.TB, store *Store, run app.ProcessRun) app.ProcessRun {
	t.Helper()
	started, err := store.Start(ctx, run)
	ok(t, err)
	return started
}

// forgetNode makes runs look as if the node that started them were lost.
func forgetNode(t testing.TB, store *Store, runs ...app.ProcessRun) {
	t.Helper()
	for _, run := range runs {
		execute(t, store, "UPDATE process_runs SET node = 0 WHERE id = $1", run.ID)
	}
}

func fail(t testing.TB, store *Store, run app.ProcessRun, text string) {
	t.Helper()
	ok(t, store.Finish(ctx, start(t, store, run), app.Outcome{Status: app.Failed, Error: text}))
}

func get(t testing.TB, store *Store, id int64) app.ProcessRun {
	t.Helper()
	page, err := store.Run(ctx, id)
	ok(t, err)
	return page.Run
}

// number asks the database for one.
func number(t testing.TB, store *Store, text string, args ...any) (n int64) {
	t.Helper()
	ok(t, store.db.GetContext(ctx, &n, text, args...))
	return n
}

func execute(t testing.TB, store *Store, text string, args ...any) {
	t.Helper()
	_, err := store.db.ExecContext(ctx, text, args...)
	ok(t, err)
}

func wantCode(t testing.TB, err error, code app.Code) {
	t.Helper()
	if app.CodeOf(err) != code {
		t.Fatalf("the error is %v and should have the code %q", err, code)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// awaitNotification waits for a notification.
func awaitNotification(t testing.TB, notified <-chan struct{}) {
	t.Helper()
	select {
	case <-notified:
	case <-time.After(patience):
		t.Fatal("subscribers were not notified")
	}
}

// checkCounts compares the counts that are kept with the rows.
func checkCounts(t testing.TB, store *Store) app.Counts {
	t.Helper()
	page, err := store.Page(ctx, app.Query{})
	ok(t, err)
	var counted app.Counts
	for status := range counted {
		counted[status] = number(t, store, "SELECT count(*) FROM process_runs WHERE status = $1", status)
	}
	if page.Counts != counted {
		t.Fatalf("the counts are %v, the rows %v", page.Counts, counted)
	}
	return counted
}

// clock shows the time that it was set to.
type clock struct{ unixMilli atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unixMilli.Store(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.unixMilli.Load()) }
func (c *clock) advance(d time.Duration) { c.unixMilli.Add(d.Milliseconds()) }
