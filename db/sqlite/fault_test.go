package sqlite

import (
	"errors"
	"testing"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
)

func TestWriter_StaysReadyAfterProgramError(t *testing.T) {
	t.Parallel()
	for name, spoil := range spoilers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			wantCode(t, store.writer.do(ctx, spoil), app.CodeUnavailable)
			if err := store.Ready(); err != nil {
				t.Errorf("the store is not ready: %v", err)
			}
			create(t, store, 1)
			checkCounts(t, store)
		})
	}
}

func TestWriter_IsUnavailableWhenBeginFails(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	// An open transaction on the connection makes the writer's BEGIN fail.
	if _, err := store.writer.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	wantCode(t, err, app.CodeUnavailable)
	wantCode(t, store.Ready(), app.CodeUnavailable)
	if _, err := store.writer.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
}

// On a disk that is nearly full, the probe succeeds, and the next large write fails again.
func TestReady_IsSteadyWhileOutageComesBack(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	full := func(*transaction) error { return sqlite3.Error{Code: sqlite3.ErrFull} }
	wantCode(t, store.writer.do(ctx, full), app.CodeUnavailable)
	until(t, "the probe has succeeded", func() bool { return store.writer.fault.Load() == nil })
	if err := store.Ready(); err != nil {
		t.Errorf("after the first outage it is not ready: %v", err)
	}
	wantCode(t, store.writer.do(ctx, full), app.CodeUnavailable)
	until(t, "the probe has succeeded again", func() bool { return store.writer.fault.Load() == nil })
	wantCode(t, store.Ready(), app.CodeUnavailable)
}

// Each of thousands of writes could wait for a locked file for seconds.
func TestWriter_StopsRepeatingAfterStorageFault(t *testing.T) {
	t.Parallel()
	const others = 100
	store := newStore(t, Options{})
	release := hold(t, store)
	answers := []<-chan error{enqueue(t, store,
		func(*transaction) error { return errors.New("a program error") })}
	var applied int // owned by the writer's goroutine
	for range others {
		answers = append(answers, enqueue(t, store, func(*transaction) error {
			applied++
			return sqlite3.Error{Code: sqlite3.ErrFull}
		}))
	}
	release()
	for _, answer := range answers {
		wantCode(t, <-answer, app.CodeUnavailable)
	}
	if applied > 2 {
		t.Errorf("%d writes were tried after the first had met the fault", applied-1)
	}
}

// writeFaults make the database unwritable until release is called.
var writeFaults = map[string]func(*testing.T, *Store) (release func()){
	"a full disk": func(t *testing.T, store *Store) func() {
		setPragma(t, store, "max_page_count = 1") // SQLite raises it to the current size
		return func() {}
	},
	"a disk that cannot be written": func(t *testing.T, store *Store) func() {
		setPragma(t, store, "query_only = 1")
		return func() {}
	},
	"another program": func(t *testing.T, store *Store) func() {
		setPragma(t, store, "busy_timeout = 10")
		return lockDatabase(t, store)
	},
}

func TestClose_EndsWhileDatabaseIsUnwritable(t *testing.T) {
	t.Parallel()
	for name, spoil := range writeFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			run := create(t, store, 1)[0]
			release := spoil(t, store)
			var answers []<-chan error
			for range 20 {
				answers = append(answers, enqueue(t, store, func(tx *transaction) error {
					_, err := tx.InsertRuns(newRuns(app.MaxCount))
					return err
				}))
			}
			closeStore(t, store)
			for _, answer := range answers {
				wantCode(t, <-answer, app.CodeUnavailable)
			}
			release()
			again := openStore(t, Options{Path: store.options.Path})
			if got := get(t, again, run.ID); got != run {
				t.Errorf("the run is now %+v", got)
			}
			create(t, again, 1)
		})
	}
}
