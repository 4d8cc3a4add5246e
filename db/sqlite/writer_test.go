package sqlite

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

func TestWriter_AnswersAfterSharedCommit(t *testing.T) {
	t.Parallel()
	const callers = 200
	store := newStore(t, Options{rollEvery: time.Hour})
	outside := openReadOnly(t, store.options.Path)
	var answered, commits, early atomic.Int64
	onCommit(t, store, func() bool {
		commits.Add(1)
		early.Add(answered.Load())
		return true
	})
	release := hold(t, store)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 3})
			answered.Add(1)
			var found int
			err = errors.Join(err, outside.Get(&found,
				"SELECT COUNT(*) FROM process_runs WHERE id BETWEEN ? AND ?", batch.First, batch.Last()))
			if err != nil || found != 3 {
				t.Errorf("of %+v there are %d rows: %v", batch, found, err)
			}
		})
	}
	waitForWrites(t, store, callers)
	release()
	group.Wait()
	if commits.Load() != 2 || early.Load() != 0 {
		t.Errorf("%d commits, one of them to hold the writer; %d were answered before the commit",
			commits.Load(), early.Load())
	}
	if counts := checkCounts(t, store); counts[app.Created] != callers*3 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestWriter_ReportsFailedCommitToAllCallers(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := start(t, store, create(t, store, 1)[0])
	notified, stop := store.Changed().Subscribe()
	defer stop()
	onCommit(t, store, func() bool { return false })
	for _, act := range []func() error{
		func() error { _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1}); return err },
		func() error { return store.Finish(ctx, run, app.Outcome{Status: app.Completed}) },
	} {
		wantCode(t, act(), app.CodeUnavailable)
	}
	if len(notified) != 0 {
		t.Error("subscribers were notified although nothing was committed")
	}
	onCommit(t, store, func() bool { return true })
	if got := get(t, store, run.ID); got != run {
		t.Errorf("the run is now %+v", got)
	}
	create(t, store, 1) // a failed commit must leave no transaction open
	checkCounts(t, store)
}

// spoilers are writes that must fail alone; the other writes of their batch must succeed.
var spoilers = map[string]func(*transaction) error{
	"an error inside": func(tx *transaction) error {
		tx.counts[app.Failed] = 77
		return errors.New("a program error")
	},
	"an SQL error after half of the work": func(tx *transaction) error {
		if _, err := tx.InsertRuns(newRuns(5)); err != nil {
			return err
		}
		return tx.Exec(setCount, -1, app.Failed) // the schema forbids it
	},
	"a panic": func(*transaction) error { panic("a program error") },
}

func TestWriter_FailedWriteFailsAlone(t *testing.T) {
	t.Parallel()
	for name, spoil := range spoilers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			run := create(t, store, 1)[0]
			release := hold(t, store)
			var group sync.WaitGroup
			enqueue := func(write func() error) {
				t.Helper()
				before := len(store.writer.writes)
				group.Go(func() {
					if err := write(); err != nil {
						t.Errorf("an innocent write failed: %v", err)
					}
				})
				waitForWrites(t, store, before+1)
			}
			enqueue(func() error { return createThree(store) })
			enqueue(func() error { return startIt(store, run) })
			request := write{apply: spoil, done: make(chan error, 1)}
			if err := store.writer.enqueue(ctx, request); err != nil {
				t.Fatal(err)
			}
			enqueue(func() error { return createThree(store) })
			release()
			group.Wait()
			wantCode(t, <-request.done, app.CodeUnavailable)
			if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 6, app.Started: 1}) {
				t.Errorf("the counts are %v", counts)
			}
			if err := store.Ready(); err != nil {
				t.Errorf("after a write that went well: %v", err)
			}
		})
	}
}

// createThree creates runs and checks that the returned batch matches the inserted runs.
func createThree(store *Store) error {
	batch, err := store.Create(ctx, app.CreateRequest{Kind: "three", Count: 3})
	if err != nil {
		return err
	}
	for _, run := range batch.Runs() {
		page, err := store.Run(ctx, run.ID)
		if err != nil {
			return err
		}
		if page.Run != run {
			return errors.New("a caller got another caller's runs")
		}
	}
	return nil
}

func startIt(store *Store, run app.ProcessRun) error {
	started, err := store.Start(ctx, run)
	if err == nil && started.Version != run.Version+1 {
		err = errors.New("a caller got the result of a rolled back transaction")
	}
	return err
}

func TestWriter_ConflictFailsAlone(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Hour})
	run := create(t, store, 1)[0]
	var commits atomic.Int64
	release := hold(t, store)
	onCommit(t, store, func() bool { commits.Add(1); return true })
	errs := make(chan error, 5)
	for range cap(errs) {
		go func() { errs <- startIt(store, run) }()
	}
	waitForWrites(t, store, cap(errs))
	release()
	var won int
	for range cap(errs) {
		if err := <-errs; err == nil {
			won++
		} else {
			wantCode(t, err, app.CodeConflict)
		}
	}
	if won != 1 || commits.Load() != 2 {
		t.Errorf("%d won in %d commits, one of them to hold the writer", won, commits.Load())
	}
	if err := store.Ready(); err != nil {
		t.Errorf("a refusal is no fault of the database: %v", err)
	}
}

func TestWriter_HidesDatabaseErrors(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	onCommit(t, store, func() bool { return false })
	_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	told, ok := errors.AsType[*app.Error](err)
	if !ok || told.Err == nil || strings.Contains(told.Message, told.Err.Error()) {
		t.Errorf("the error is %+v", told)
	}
}

func TestWriter_SkipsCancelledCall(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := create(t, store, 1)[0]
	release := hold(t, store)
	ctx, cancel := context.WithCancel(ctx)
	errs := make(chan error, 2)
	go func() { _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 2}); errs <- err }()
	go func() { _, err := store.Cancel(ctx, run.ID); errs <- err }()
	waitForWrites(t, store, 2)
	cancel()
	wantCode(t, <-errs, app.CodeUnavailable)
	wantCode(t, <-errs, app.CodeUnavailable)
	release()
	create(t, store, 1) // enqueued last, so the others are settled after it
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 2}) {
		t.Errorf("they failed, and should not be done; the counts are %v", counts)
	}
}

func TestWriter_FinishesBegunCall(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	ctx, cancel := context.WithCancel(ctx)
	begun, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- store.writer.do(ctx, func(tx *transaction) error {
			close(begun)
			<-free
			_, err := tx.InsertRuns(newRuns(2))
			return err
		})
	}()
	<-begun
	cancel()
	close(free)
	if err := <-done; err != nil {
		t.Errorf("it is done, but its caller gets %v", err)
	}
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 2}) {
		t.Errorf("the counts are %v", counts)
	}
}
