package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

func cancelRun(t *testing.T, store app.Store, id int64) app.ProcessRun {
	t.Helper()
	run, err := store.Cancel(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestCancel_StopsTheWork(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	causes := make(chan error, 1)
	working := make(chan struct{})
	start(t, newQueue(store, jobs.Kind{Name: "long", Work: func(ctx context.Context, _ *jobs.Run) error {
		close(working)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}}))
	id := create(t, store, "long", 1)
	receive(t, working, "the work to begin")
	if run := cancelRun(t, store, id); !run.CancelRequested() {
		t.Errorf("at first it is %+v", run)
	}
	run := waitForStatus(t, store, id, app.Cancelled)
	if cause := <-causes; !errors.Is(cause, jobs.ErrCancelled) {
		t.Errorf("the cause that the work sees is %v", cause)
	}
	if run.Error != "" || run.Version != 4 {
		t.Errorf("in the end it is %+v", run)
	}
}

func TestCancel_CompletedWorkSaysSo(t *testing.T) {
	t.Parallel()
	store, work := openStore(t), make(chan struct{})
	deaf := jobs.Kind{Name: "deaf", Work: func(context.Context, *jobs.Run) error { <-work; return nil }}
	start(t, newQueue(store, deaf))
	id := create(t, store, "deaf", 1)
	waitForStatus(t, store, id, app.Started)
	cancelRun(t, store, id)
	if run := read(t, store, id); run.Status != app.Started {
		t.Errorf("its work goes on, and it is %s", run.Status)
	}
	close(work)
	if run := waitForStatus(t, store, id, app.Cancelled); run.Error == "" {
		t.Error("the page says nothing about its work")
	}
}

func TestCancel_PreventsTheNextAttempt(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	var tries journal[int64]
	queue := newQueue(store, jobs.Kind{Name: "bad", Work: func(_ context.Context, run *jobs.Run) error {
		tries.add(run.ID)
		return jobs.RetryAfter(time.Hour, errors.New("not now"))
	}})
	queue.Executor.MaxAttempts = 2
	start(t, queue)
	id := create(t, store, "bad", 1)
	waitUntil(t, store, "a run to wait", func() bool { return !read(t, store, id).ScheduledAt.IsZero() })
	if run := cancelRun(t, store, id); run.Status != app.Cancelled || len(tries.all()) != 1 {
		t.Errorf("after %v it is %+v", tries.all(), run)
	}
}

func TestExecutor_ObeysTheRetryError(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		err    error
		status app.Status
		waits  time.Duration // minimum delay until the next attempt
	}{
		"an error":              {bad, app.Created, 500 * time.Millisecond},
		"not again":             {jobs.Permanent(bad), app.Failed, 0},
		"not again, wrapped":    {fmt.Errorf("very %w", jobs.Permanent(bad)), app.Failed, 0},
		"again in two hours":    {jobs.RetryAfter(2*time.Hour, bad), app.Created, time.Hour},
		"no error after all":    {jobs.Permanent(nil), app.Completed, 0},
		"nothing wrong, either": {jobs.RetryAfter(time.Hour, nil), app.Completed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			queue := newQueue(store, jobs.Kind{Name: name,
				Work: func(context.Context, *jobs.Run) error { return c.err }})
			queue.Executor.MaxAttempts = 2
			stop, stopped := start(t, queue)
			id := create(t, store, name, 1)
			waitUntil(t, store, "the attempt to end", func() bool { return read(t, store, id).Version >= 3 })
			run := read(t, store, id)
			if run.Version > 3 {
				return // the machine is very slow: the run was retried before it was read
			}
			if run.Status != c.status || c.waits > 0 && run.ScheduledAt.Sub(run.UpdatedAt) < c.waits {
				t.Errorf("it is %+v", run)
			}
			stop()
			receive(t, stopped, "the queue to stop")
		})
	}
}

func TestProgress_IsSavedDuringTheWork(t *testing.T) {
	t.Parallel()
	store, goOn := openStore(t), make(chan struct{})
	start(t, newQueue(store, jobs.Kind{Name: "copy", Work: func(_ context.Context, run *jobs.Run) error {
		run.Progress(40, "copying")
		<-goOn
		for percent := range 1000 { // more than the queue saves; the last one counts
			run.Progress(percent, "checking")
		}
		return nil
	}}))
	id := create(t, store, "copy", 1)
	waitUntil(t, store, "the progress", func() bool { return read(t, store, id).Percent == 40 })
	if run := read(t, store, id); run.Status != app.Started || run.Message != "copying" || run.Version != 3 {
		t.Errorf("meanwhile it is %+v", run)
	}
	close(goOn)
	if run := waitForStatus(t, store, id, app.Completed); run.Percent != 100 || run.Message != "checking" ||
		run.Version > 6 {
		t.Errorf("in the end it is %+v", run)
	}
}
