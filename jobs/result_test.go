package jobs_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
	"runboard/jobs"
)

func TestResult_WaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]jobs.Work{
		"completed": nothing,
		"failed":    func(context.Context, *jobs.Run) error { return errBroken },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := failing(2)
			var done atomic.Int32
			store := &hookedStore{Store: openStore(t),
				beforeFinish: func(app.ProcessRun, app.Outcome) error { return fault() }}
			start(t, newQueue(store, jobs.Kind{Name: "report",
				Work: func(ctx context.Context, run *jobs.Run) error {
					done.Add(1)
					return work(ctx, run)
				}}))
			id := create(t, store.Store, "report", 1)
			waitUntil(t, store.Store, "the result",
				func() bool { return read(t, store.Store, id).Status.Final() })
			run := read(t, store.Store, id)
			if run.Status.String() != name || run.Version != 3 || done.Load() != 1 {
				t.Errorf("the work was done %d times, and the row is %+v", done.Load(), run)
			}
		})
	}
}

// The log limit exceeds what the work writes, and the database is not writable for longer
// than the run may take.
func TestResult_SurvivesMuchOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var locked atomic.Bool
		locked.Store(true)
		store := &hookedStore{Store: openStore(t), beforeProgress: func(app.ProgressUpdate) error {
			if locked.Load() {
				return app.Errorf(app.CodeUnavailable, "The database is locked.")
			}
			return nil
		}}
		line, returned := strings.Repeat("x", 1000), make(chan struct{})
		queue := newQueue(store, jobs.Kind{Name: "noisy",
			Work: func(ctx context.Context, run *jobs.Run) error {
				defer close(returned)
				for range 40_000 {
					run.Log(line)
				}
				return context.Cause(ctx)
			}})
		queue.Executor.RunTimeout, queue.Executor.LogLimit = time.Minute, 1<<30
		id := create(t, store.Store, "noisy", 1)
		stop, stopped := start(t, queue)
		<-returned
		time.Sleep(10 * time.Minute)
		if run := read(t, store.Store, id); run.Status != app.Started {
			t.Errorf("nothing can be written, and the run is %s", run.Status)
		}
		locked.Store(false)
		time.Sleep(time.Minute)
		if run := read(t, store.Store, id); run.Status != app.Completed {
			t.Errorf("the run is %+v", run)
		}
		stop()
		<-stopped
	})
}

// The next start of the server finds the run started and runs it again: at least once, as documented.
func TestResult_WaitEndsAtShutdown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	tried := make(chan struct{}, 1000)
	store := &hookedStore{Store: openAt(t, path, time.Now),
		beforeFinish: func(app.ProcessRun, app.Outcome) error {
			tried <- struct{}{}
			return app.Errorf(app.CodeUnavailable, "The disk is full.")
		}}
	queue := newQueue(store, jobs.Kind{Name: "report", Work: nothing})
	queue.DrainTimeout = 50 * time.Millisecond
	id := create(t, store.Store, "report", 1)
	stop, stopped := start(t, queue)
	receive(t, tried, "the result")
	stop()
	receive(t, stopped, "the queue to stop")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path, time.Now)
	if run := read(t, again, id); run.Status != app.Created || run.Crashes != 1 {
		t.Errorf("at the next start the row is %+v", run)
	}
	start(t, newQueue(again, jobs.Kind{Name: "report", Work: nothing}))
	waitForStatus(t, again, id, app.Completed)
}

// While the work goes on, another worker requeues the run and starts it again.
func TestResult_StaleIsDropped(t *testing.T) {
	t.Parallel()
	work, ended := newGated(), make(chan error, 1000)
	store := &hookedStore{
		Store:       openStore(t),
		afterFinish: func(_ app.ProcessRun, _ app.Outcome, err error) { ended <- err },
	}
	queue := newQueue(store, work.kind("report"))
	queue.Workers = 1
	start(t, queue)
	id := create(t, store.Store, "report", 1)
	stale := receive(t, work.working, "the work")
	if err := store.Store.Requeue(t.Context(), stale.Row()); err != nil {
		t.Fatal(err)
	}
	fresh, err := store.Store.Start(t.Context(), read(t, store.Store, id))
	if err != nil {
		t.Fatal(err)
	}
	close(work.gate)
	if err := receive(t, ended, "the late result"); app.CodeOf(err) != app.CodeConflict {
		t.Errorf("the late result came to %v", err)
	}
	waitForStatus(t, store.Store, create(t, store.Store, "report", 1), app.Completed) // the worker continues
	run := read(t, store.Store, id)
	fresh.QueuedAt = run.QueuedAt // a start does not read it
	if run != fresh {
		t.Errorf("the row has become %+v", run)
	}
}

func TestStart_LostRaceSkipsTheWork(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	var done journal[int64]
	queue := newQueue(&hookedStore{Store: store, beforeStart: func(run app.ProcessRun) error {
		if run.ID > 1 {
			return nil
		}
		_, err := store.Start(context.Background(), run)
		return err
	}}, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		done.add(run.ID)
		return nil
	}})
	queue.Workers = 1
	create(t, store, "report", 2)
	start(t, queue)
	waitForStatus(t, store, 2, app.Completed)
	if got := done.all(); len(got) != 1 || got[0] != 2 {
		t.Errorf("the work of %v was done", got)
	}
	if run := read(t, store, 1); run.Status != app.Started || run.Version != 2 {
		t.Errorf("the row has become %+v", run)
	}
}

func TestStart_FailureIsRetried(t *testing.T) {
	t.Parallel()
	fault := failing(1)
	store := &hookedStore{Store: openStore(t), beforeStart: func(app.ProcessRun) error { return fault() }}
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: nothing}))
	run := waitForStatus(t, store.Store, create(t, store.Store, "report", 1), app.Completed)
	if run.Attempt != 1 || run.Version != 3 {
		t.Errorf("the row is %+v", run)
	}
}

// The last lines of a log are saved before the result. That may take until the database is writable again.
func TestResult_SlowLogIsNoTimeout(t *testing.T) {
	t.Parallel()
	for want, result := range map[app.Status]error{app.Completed: nil, app.Failed: errBroken} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			tooLate := make(chan struct{})
			store := &hookedStore{Store: openStore(t),
				beforeProgress: func(app.ProgressUpdate) error { <-tooLate; return nil }}
			queue := newQueue(store, jobs.Kind{Name: "report",
				Work: func(ctx context.Context, run *jobs.Run) error {
					context.AfterFunc(ctx, func() { close(tooLate) })
					run.Log("this is it")
					return result
				}})
			queue.Executor.RunTimeout = 2 * time.Second
			start(t, queue)
			id := create(t, store.Store, "report", 1)
			waitUntil(t, store.Store, "the result",
				func() bool { return read(t, store.Store, id).Status.Final() })
			if run := read(t, store.Store, id); run.Status != want ||
				(result != nil && run.Error != result.Error()) {
				t.Errorf("the row is %+v", run)
			}
		})
	}
}
