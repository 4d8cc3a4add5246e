package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
)

// createUntil creates runs until fails reports true after an error. It returns the number of runs and the
// error.
func createUntil(t *testing.T, store *Store, fails func() bool) (made int64, err error) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err = store.Create(ctx, app.CreateRequest{Kind: kind, Count: 100}); err == nil {
			made += 100
		} else if fails() {
			return made, err
		}
	}
	t.Fatal("it does not fail")
	return 0, nil
}

func TestFullDisk_LosesNoAcknowledgedRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	setPragma(t, store, "max_page_count = 1") // SQLite raises it to the current size
	// The probe may find room for its one row, and Ready then returns nil: the next Create fails again.
	made, err := createUntil(t, store, func() bool { return store.Ready() != nil })
	wantCode(t, err, app.CodeUnavailable)
	if fault, ok := errors.AsType[sqlite3.Error](err); !ok || fault.Code != sqlite3.ErrFull {
		t.Fatalf("it failed for another reason: %v", err)
	}
	wantReadable(t, store, made)
	setPragma(t, store, "max_page_count = 100000")
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
	create(t, store, 1000)
	wantReadable(t, store, made+1000)
	if counts := checkCounts(t, store); counts[app.Created] != made+1000 {
		t.Errorf("%d were acknowledged, the counts are %v", made+1000, counts)
	}
	closeStore(t, store)
	wantReadable(t, openStore(t, Options{Path: store.options.Path}), made+1000)
}

func wantReadable(t *testing.T, store *Store, created int64) {
	t.Helper()
	page, err := store.Page(ctx, app.Query{})
	if err != nil || page.Counts != (app.Counts{app.Created: created}) ||
		len(page.Runs) != int(min(created, app.PageSize)) {
		t.Errorf("%d are created; the page has %d runs, the counts are %v: %v", created, len(page.Runs),
			page.Counts, err)
	}
	if _, err := store.FetchDue(ctx, []app.DueKind{{Name: "test"}}, 10); err != nil {
		t.Errorf("who waits cannot be read: %v", err)
	}
}

func TestWriter_ProbesUntilDatabaseIsWritable(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := start(t, store, create(t, store, 2)[0])
	setPragma(t, store, "query_only = 1") // every write fails, including the probe
	wantCode(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}), app.CodeUnavailable)
	fault := store.writer.fault.Load()
	until(t, "the probe has failed", func() bool { return store.writer.fault.Load() != fault })
	wantCode(t, store.Ready(), app.CodeUnavailable)
	if got := get(t, store, run.ID); got != run {
		t.Errorf("the run is now %+v", got)
	}
	setPragma(t, store, "query_only = 0")
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
	unharmed(t, store, run)
}

// A batch that meets a full disk is not repeated one by one, which would take as many commits.
func TestWriter_FailsWholeBatchOnFullDisk(t *testing.T) {
	t.Parallel()
	const callers = 100
	store := newStore(t, Options{})
	release := hold(t, store)
	errs := make(chan error, callers)
	var applied int // owned by the writer's goroutine
	for range callers {
		request := write{done: errs, apply: func(tx *transaction) error {
			applied++
			return sqlite3.Error{Code: sqlite3.ErrFull}
		}}
		if err := store.writer.enqueue(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	release()
	for range callers {
		wantCode(t, <-errs, app.CodeUnavailable)
	}
	if applied != 1 {
		t.Errorf("%d writes were tried after the first had met the fault", applied-1)
	}
	wantCode(t, store.Ready(), app.CodeUnavailable)
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
}
