package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// startActions starts a queue for bulk actions.
func startActions(
	t *testing.T, queueStore app.QueueStore, actions app.BulkRunner,
) (stop func(), stopped <-chan struct{}) {
	t.Helper()
	return start(t, &jobs.Queue{
		Store: queueStore, Workers: 2, MaxCrashes: maxCrashes,
		Executor: &jobs.Executor{
			Store: queueStore, Registry: jobs.BulkRegistry(actions), MaxAttempts: 1,
			RunTimeout: 10 * time.Minute,
			Log:        slog.New(slog.DiscardHandler),
		},
	})
}

func runBulkAction(t *testing.T, store *sqlite.Store, action app.BulkAction) app.ProcessRun {
	t.Helper()
	run, err := store.CreateBulkAction(t.Context(), action, "")
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestBulkAction_PassesTheRunsItChanges(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	create(t, store, "long", 700)
	queue := newQueue(store, g.kind("long"))
	start(t, queue)
	for range queue.Workers { // all workers are busy
		receive(t, g.working, "work")
	}
	startActions(t, store, store)
	run := waitForStatus(t, store, runBulkAction(t, store, app.BulkAction{Operation: app.BulkCancel}).ID,
		app.Completed)
	waitForCount(t, store, 700, app.Cancelled) // including the running ones
	if run.Percent != 100 || run.Message != "700 runs cancelled or stopping" {
		t.Errorf("it says of itself %d%% %q", run.Percent, run.Message)
	}
	if log := textOf(logOf(t, store, run.ID)); !strings.Contains(log, "Cancel all runs (700 runs).\n") {
		t.Errorf("its log is %q", log)
	}
}

// slowly wraps a BulkRunner. Each step waits until the test allows it.
type slowly struct {
	app.BulkRunner
	part chan struct{}
	fail atomic.Int32 // number of steps that still have to fail
}

func (s *slowly) StepBulkAction(ctx context.Context, run app.ProcessRun) (app.BulkProgress, error) {
	select {
	case <-s.part:
	case <-ctx.Done():
		return app.BulkProgress{}, context.Cause(ctx)
	}
	if s.fail.Add(-1) >= 0 {
		return app.BulkProgress{}, app.Errorf(app.CodeUnavailable, "The disk is full.")
	}
	return s.BulkRunner.StepBulkAction(ctx, run)
}

// failed creates runs that have failed.
func failed(t *testing.T, store *sqlite.Store, count int) {
	t.Helper()
	before := counts(t, store)[app.Failed]
	queue := newQueue(store, jobs.Kind{Name: "test", Work: func(context.Context, *jobs.Run) error {
		return errors.New("it did not work")
	}})
	queue.Workers = 100
	stop, stopped := start(t, queue)
	create(t, store, "test", count)
	waitForCount(t, store, int(before)+count, app.Failed)
	stop()
	receive(t, stopped, "the queue to stop")
}

func TestBulkAction_ResumesAfterCancelAndRetry(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	failed(t, store, 600)
	failed(t, store, 600)
	paced := &slowly{BulkRunner: store, part: make(chan struct{})}
	startActions(t, store, paced)
	id := runBulkAction(t, store, app.BulkAction{Operation: app.BulkDelete}).ID
	paced.part <- struct{}{}
	waitUntil(t, store, "the first part", func() bool { return counts(t, store)[app.Failed] < 1200 })
	if _, err := store.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	waitForStatus(t, store, id, app.Cancelled)
	left := counts(t, store)[app.Failed]
	if left == 0 {
		t.Fatal("it has deleted all of them")
	}
	close(paced.part)
	if _, err := store.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run := waitForStatus(t, store, id, app.Completed)
	if n := counts(t, store)[app.Failed]; n != 0 || run.Message != "1,200 runs deleted" {
		t.Errorf("%d are left of %d, and it says %q", n, left, run.Message)
	}
}

func TestBulkAction_ResumesAfterAShutdown(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	failed(t, store, 600)
	failed(t, store, 600)
	paced := &slowly{BulkRunner: store, part: make(chan struct{})}
	stop, stopped := startActions(t, store, paced)
	id := runBulkAction(t, store, app.BulkAction{Operation: app.BulkDelete}).ID
	paced.part <- struct{}{}
	waitUntil(t, store, "the first part", func() bool { return counts(t, store)[app.Failed] < 1200 })
	stop()
	receive(t, stopped, "the queue to stop") // without waiting for the drain: the action resumes later
	if run := read(t, store, id); run.Status != app.Created || run.Crashes != 0 {
		t.Fatalf("it is %+v", run)
	}
	startActions(t, store, store)
	if run := waitForStatus(t, store, id, app.Completed); run.Message != "1,200 runs deleted" {
		t.Errorf("it says %q", run.Message)
	}
}

func TestBulkAction_WaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	failed(t, store, 3)
	paced := &slowly{BulkRunner: store, part: make(chan struct{})}
	close(paced.part)
	paced.fail.Store(2)
	startActions(t, store, paced)
	id := runBulkAction(t, store, app.BulkAction{Operation: app.BulkRetry}).ID
	waitForStatus(t, store, id, app.Completed)
	if n := counts(t, store)[app.Created]; n != 3 {
		t.Errorf("%d wait to be tried again", n)
	}
	if log := textOf(logOf(t, store, id)); strings.Count(log, "Retry all runs (3 runs).\n") != 1 {
		t.Errorf("its log is %q", log)
	}
}

func TestBulkAction_MissingFailsTheRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	startActions(t, store, store)
	run := waitForStatus(t, store, create(t, store, app.BulkDelete.Kind(), 1), app.Failed)
	if !strings.Contains(run.Error, "has no action") {
		t.Errorf("it says %q", run.Error)
	}
}

func TestNewRegistry_ReservesBulkKinds(t *testing.T) {
	t.Parallel()
	for _, name := range app.BulkKinds() {
		if _, err := jobs.NewRegistry(jobs.Kind{Name: name, Work: nothing}); err == nil {
			t.Errorf("work is called %s", name)
		}
	}
	if names := jobs.BulkRegistry(nil).Names(); !slices.Equal(names, app.BulkKinds()) {
		t.Errorf("the actions are %v", names)
	}
}
