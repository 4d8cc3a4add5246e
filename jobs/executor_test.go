package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// newExecutor returns an executor as an engine other than Queue uses it.
func newExecutor(t *testing.T, store app.WorkStore, kinds ...jobs.Kind) *jobs.Executor {
	t.Helper()
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return &jobs.Executor{
		Store: store, Registry: registry, MaxAttempts: 1, RunTimeout: 10 * time.Minute,
		Log: slog.New(slog.DiscardHandler),
	}
}

// started creates a run and starts it.
func started(t *testing.T, store *sqlite.Store, kind string) app.ProcessRun {
	t.Helper()
	run, err := store.Start(t.Context(), read(t, store, create(t, store, kind, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// attempts executes attempts of runs.
type attempts struct {
	store     *sqlite.Store
	executor  *jobs.Executor
	lifecycle jobs.Lifecycle
}

func newAttempts(t *testing.T, kinds ...jobs.Kind) *attempts {
	t.Helper()
	store := openStore(t)
	lifecycle, _ := newLifecycle(t)
	return &attempts{store: store, executor: newExecutor(t, store, kinds...), lifecycle: lifecycle}
}

// start creates a run with these inputs and starts it.
func (a *attempts) start(t *testing.T, kind string, values ...app.InputValue) app.ProcessRun {
	t.Helper()
	batch, err := a.store.Create(t.Context(), app.CreateRequest{Kind: kind, Count: 1, Inputs: values})
	if err != nil {
		t.Fatal(err)
	}
	run, err := a.store.Start(t.Context(), read(t, a.store, batch.First))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// execute executes an attempt of a started run, and returns the run with its log.
func (a *attempts) execute(t *testing.T, run app.ProcessRun) (app.ProcessRun, string) {
	t.Helper()
	a.executor.Execute(a.lifecycle.Work, a.lifecycle, run)
	return read(t, a.store, run.ID), textOf(logOf(t, a.store, run.ID))
}

// newLifecycle returns a lifecycle that does not end, except that interrupt ends Work.
func newLifecycle(t *testing.T) (p jobs.Lifecycle, interrupt context.CancelCauseFunc) {
	working, interrupt := context.WithCancelCause(context.Background())
	t.Cleanup(func() { interrupt(jobs.ErrShutdown) })
	return jobs.Lifecycle{Fetch: context.Background(), Work: working, Grace: context.Background()}, interrupt
}

func TestExecutor_SnoozeKeepsTheFencingToken(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	executor := newExecutor(t, store, g.kind("test"))
	run := started(t, store, "test")
	p, _ := newLifecycle(t)
	ctx, cancel := context.WithCancelCause(p.Work)
	paused := make(chan bool)
	go func() { paused <- executor.Execute(ctx, p, run) }()
	receive(t, g.working, "work")
	cancel(jobs.ErrSnoozed)
	if !receive(t, paused, "the pause") || read(t, store, run.ID) != run {
		t.Fatalf("it is not paused, and the row is %+v", read(t, store, run.ID))
	}
	close(g.gate)
	if executor.Execute(p.Work, p, run) || read(t, store, run.ID).Status != app.Completed {
		t.Errorf("in the end the row is %+v", read(t, store, run.ID))
	}
}

func TestExecutor_WaitsForWorkIgnoringSnooze(t *testing.T) {
	t.Parallel()
	store, goOn := openStore(t), make(chan struct{})
	defer close(goOn)
	executor := newExecutor(t, store, jobs.Kind{Name: "stubborn",
		Work: func(context.Context, *jobs.Run) error {
			<-goOn
			return nil
		}})
	run := started(t, store, "stubborn")
	p, interrupt := newLifecycle(t)
	grace, endGrace := context.WithCancel(context.Background())
	p.Grace = grace
	ctx, cancel := context.WithCancelCause(p.Work)
	cancel(jobs.ErrSnoozed)
	paused := make(chan bool)
	go func() { paused <- executor.Execute(ctx, p, run) }()
	endGrace() // only a shutdown may end the wait for work that ignores its context
	select {
	case <-paused:
		t.Error("it counts as paused although it goes on")
	default:
	}
	interrupt(jobs.ErrShutdown)
	if receive(t, paused, "the end") {
		t.Error("it counts as paused although it goes on")
	}
	if run := read(t, store, run.ID); run.Status != app.Created || run.Attempt != 0 {
		t.Errorf("at a shutdown the row is %+v", run)
	}
}

func TestExecutor_CancelsTheSecondAttempt(t *testing.T) {
	t.Parallel()
	store, goOn := openStore(t), make(chan struct{})
	events := make(chan error, 2)
	executor := newExecutor(t, store, jobs.Kind{Name: "test",
		Work: func(ctx context.Context, run *jobs.Run) error {
			events <- nil
			if run.Row().FencingToken == 1 { // the first worker has lost the run and does not notice
				<-goOn
				return nil
			}
			<-ctx.Done()
			events <- context.Cause(ctx)
			return context.Cause(ctx)
		}})
	first := started(t, store, "test")
	p, _ := newLifecycle(t)
	over := make(chan bool, 2)
	go func() { over <- executor.Execute(p.Work, p, first) }()
	receive(t, events, "the first")
	if err := store.Requeue(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second, err := store.Start(t.Context(), read(t, store, first.ID))
	if err != nil {
		t.Fatal(err)
	}
	go func() { over <- executor.Execute(p.Work, p, second) }()
	receive(t, events, "the second")
	close(goOn)
	receive(t, over, "the first to return") // it may remove only its own entry from the registry
	if _, err := store.Cancel(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	go executor.WatchCancellations(watching)
	if cause := receive(t, events, "the cancellation"); !errors.Is(cause, jobs.ErrCancelled) {
		t.Errorf("the second was stopped by %v", cause)
	}
	receive(t, over, "the second to return")
	waitForStatus(t, store, second.ID, app.Cancelled)
}

// silentStore is a store whose notifications are lost.
type silentStore struct {
	app.WorkStore
	changes app.Notifier
}

func (s *silentStore) Changed() *app.Notifier { return &s.changes }

// An idle process does not look for requests, and the notification comes before the work begins.
func TestExecutor_CancelsWorkThatBeginsAfterTheRequest(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	executor := newExecutor(t, &silentStore{WorkStore: store},
		jobs.Kind{Name: "test", Work: func(ctx context.Context, _ *jobs.Run) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}})
	run := started(t, store, "test")
	if _, err := store.Cancel(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	go executor.WatchCancellations(watching)
	time.Sleep(50 * time.Millisecond) // a chance to find no work
	p, _ := newLifecycle(t)
	over := make(chan bool, 1)
	go func() { over <- executor.Execute(p.Work, p, run) }()
	receive(t, over, "the cancelled work to return")
	waitForStatus(t, store, run.ID, app.Cancelled)
}
