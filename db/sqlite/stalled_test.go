package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
)

// waitingAndWorking returns a store with a created run, number 1, and a started run, number 2.
func waitingAndWorking(t *testing.T, options Options) (store *Store, waiting, working app.ProcessRun) {
	t.Helper()
	store = newStore(t, options)
	runs := create(t, store, 2)
	return store, runs[0], start(t, store, runs[1])
}

// startAndFinish starts one run and completes another concurrently, without a deadline, as workers do.
func startAndFinish(store *Store, waiting, working app.ProcessRun) (errs chan error) {
	errs = make(chan error, 2)
	go func() { _, err := store.Start(context.Background(), waiting); errs <- err }()
	go func() { errs <- store.Finish(context.Background(), working, app.Outcome{Status: app.Completed}) }()
	return errs
}

// wantOnce checks that a run has changed exactly once since before, and that its history has the event.
func wantOnce(t *testing.T, store *Store, before app.ProcessRun, status app.Status) {
	t.Helper()
	page, err := store.Run(ctx, before.ID)
	if err != nil {
		t.Fatal(err)
	}
	if run := page.Run; run.Status != status || run.Version != before.Version+1 || run.Attempt != 1 ||
		run.FencingToken != 1 {
		t.Errorf("the run is now %+v", run)
	}
	if events := page.Events; len(events) != int(before.Version) || events[len(events)-1].Status != status {
		t.Errorf("its history is %+v", events)
	}
}

// The writer is blocked for a day of virtual time.
func TestStall_StartsAndResultsWaitForWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, _, _ := waitingAndWorking(t, Options{})
		waitOut(t, store, hold(t, store), func() { time.Sleep(24 * time.Hour) })
	})
}

func TestStall_StartsAndResultsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	var begun atomic.Int64 // transactions begun: the writer reads the clock once in each
	store, _, _ := waitingAndWorking(t, Options{Now: func() time.Time { begun.Add(1); return time.Now() }})
	setPragma(t, store, "busy_timeout = 600000")
	release, before := lockDatabase(t, store), begun.Load()
	blocked := enqueue(t, store, func(*transaction) error { return nil })
	until(t, "the writer is held up with this write alone", func() bool { return begun.Load() > before })
	waitOut(t, store, release, func() {})
	if err := <-blocked; err != nil {
		t.Error(err)
	}
}

// waitOut enqueues a start and a result at a blocked writer, and checks that they wait and succeed after
// release.
func waitOut(t *testing.T, store *Store, release, wait func()) {
	t.Helper()
	waiting, working := get(t, store, 1), get(t, store, 2)
	errs := startAndFinish(store, waiting, working)
	waitForWrites(t, store, 2)
	wait()
	if len(errs) > 0 || get(t, store, waiting.ID) != waiting || get(t, store, working.ID) != working {
		t.Error("something was answered or shown before it was written")
	}
	release()
	wantStartedAndFinished(t, store, errs, waiting, working)
}

func wantStartedAndFinished(t *testing.T, store *Store, errs chan error, waiting, working app.ProcessRun) {
	t.Helper()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	wantOnce(t, store, waiting, app.Started)
	wantOnce(t, store, working, app.Completed)
	checkCounts(t, store)
}

func TestStall_RefusedWritesCanBeRepeated(t *testing.T) {
	t.Parallel()
	store, waiting, working := waitingAndWorking(t, Options{})
	setPragma(t, store, "busy_timeout = 10")
	release := lockDatabase(t, store)
	for range 2 { // workers repeat refused writes
		errs := startAndFinish(store, waiting, working)
		for range cap(errs) {
			wantCode(t, <-errs, app.CodeUnavailable)
		}
	}
	wantCode(t, store.Ready(), app.CodeUnavailable)
	release()
	if get(t, store, waiting.ID) != waiting || get(t, store, working.ID) != working {
		t.Error("what was refused was written")
	}
	wantStartedAndFinished(t, store, startAndFinish(store, waiting, working), waiting, working)
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
}

// The last write of the batch spoils the first transaction. In that transaction the first write has inserted
// runs, which it does not insert when it is repeated alone; so the second write gets other ids than at first.
func TestWriter_ReturnsResultOfLastCall(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	release := hold(t, store)
	errSecond := app.Errorf(app.CodeConflict, "This time not.")
	var calls int // owned by the writer's goroutine
	first := enqueue(t, store, func(tx *transaction) error {
		if calls++; calls > 1 {
			return errSecond
		}
		_, err := tx.InsertRuns(newRuns(5))
		return err
	})
	batches := make(chan app.Batch, 1)
	go func() {
		batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 3})
		if err != nil {
			t.Error(err)
		}
		batches <- batch
	}()
	waitForWrites(t, store, 2)
	spoiler := enqueue(t, store, func(*transaction) error { return errors.New("a program error") })
	release()
	if err := <-first; !errors.Is(err, errSecond) || calls != 2 {
		t.Errorf("after %d calls the first write returns %v", calls, err)
	}
	if batch := <-batches; batch.First != 1 || batch.Count != 3 {
		t.Errorf("the second write returns %+v", batch)
	}
	wantCode(t, <-spoiler, app.CodeUnavailable)
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 3}) {
		t.Errorf("the counts are %v", counts)
	}
}
