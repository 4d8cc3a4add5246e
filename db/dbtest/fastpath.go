package dbtest

import (
	"testing"
	"time"

	"runboard/app"
)

// testFastPaths compares the statements that change many runs at once with the state machine.
func testFastPaths(t *testing.T, subject Subject) {
	for name, prepare := range map[string]func(f fixture) app.ProcessRun{
		"a new run": func(f fixture) app.ProcessRun { return f.create(1)[0] },
		"a run for another attempt": func(f fixture) app.ProcessRun {
			run := f.finish(f.in(app.Started),
				app.Outcome{Status: app.Created, Error: "Once more.", RetryIn: time.Minute})
			f.clock.Advance(2 * time.Minute)
			return run
		},
		"a retried run": func(f fixture) app.ProcessRun {
			run, err := f.store.Retry(ctx, f.in(app.Failed).ID)
			f.ok(err)
			return run
		},
		"a requeued run": func(f fixture) app.ProcessRun {
			run := f.in(app.Started)
			f.ok(f.store.Requeue(ctx, run))
			return f.get(run.ID)
		},
	} {
		t.Run("starting and completing "+name+" is a transition", func(t *testing.T) {
			t.Parallel()
			f := open(t, subject)
			created := prepare(f)
			f.clock.Advance(time.Second)
			want, _, err := app.Start(created, f.now())
			f.ok(err)
			f.startTogether(created)
			started := f.get(created.ID)
			if started != want {
				t.Fatalf("started it is\n%+v and not\n%+v", started, want)
			}
			f.clock.Advance(time.Second)
			want, _, err = app.Finish(started, app.Outcome{Status: app.Completed}, f.now())
			f.ok(err)
			f.completeTogether(started)
			if completed := f.get(created.ID); completed != want {
				t.Errorf("completed it is\n%+v and not\n%+v", completed, want)
			}
		})
	}
}

// startTogether starts a run with the statement for many runs.
func (f fixture) startTogether(run app.ProcessRun) {
	f.Helper()
	queue, many := f.store.(app.QueueStore)
	if !many { // the store batches concurrent starts
		_, err := f.store.Start(ctx, run)
		f.ok(err)
		return
	}
	started, err := queue.StartMany(ctx, []app.ProcessRun{run})
	f.ok(err)
	if len(started) != 1 || started[0] != f.get(run.ID) {
		f.Fatalf("StartMany returns %+v for %+v", started, f.get(run.ID))
	}
}

// completeTogether completes a run with the statement for many runs.
func (f fixture) completeTogether(run app.ProcessRun) {
	f.Helper()
	queue, many := f.store.(app.QueueStore)
	if !many {
		f.ok(f.store.Finish(ctx, run, app.Outcome{Status: app.Completed}))
		return
	}
	stale, err := queue.CompleteMany(ctx, []app.ProcessRun{run})
	f.ok(err)
	if len(stale) != 0 {
		f.Fatalf("CompleteMany calls %+v stale", stale)
	}
}

// now returns the time of the clock, with the precision of the store.
func (f fixture) now() time.Time { return f.clock.Now().UTC().Truncate(time.Millisecond) }
