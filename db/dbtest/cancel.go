package dbtest

import (
	"testing"

	"runboard/app"
)

// testWishes tests Cancel and Retry.
func testWishes(t *testing.T, subject Subject) {
	testStopping(t, subject)
	testRetrying(t, subject)
}

// testStopping tests Cancel.
func testStopping(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("a run that waits is cancelled at once", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Created)
		got, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		if got.Status != app.Cancelled || got.Version != 2 || got.FinishedAt.IsZero() || !same(got, f.get(run.ID)) {
			t.Errorf("it is %+v", got)
		}
		if waiting := f.waiting(5); len(waiting) != 0 {
			t.Errorf("there wait %+v", waiting)
		}
	})
	t.Run("a run that is started is asked, once, and cancelled when it ends", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		for range 3 {
			got, err := f.store.Cancel(ctx, run.ID)
			f.ok(err)
			if !got.CancelRequested() || got.Version != 3 {
				t.Errorf("it is %+v", got)
			}
		}
		requests, err := f.store.CancelRequests(ctx)
		want := app.CancelRequest{Run: run.ID, FencingToken: run.FencingToken}
		if f.ok(err); len(requests) != 1 || requests[0] != want {
			t.Errorf("there stop %+v", requests)
		}
		if got := f.finish(run, app.Outcome{Status: app.Completed}); got.Status != app.Cancelled || got.Error == "" || got.Version != 4 {
			t.Errorf("it ends as %+v", got)
		}
		if ids, err := f.store.CancelRequests(ctx); err != nil || len(ids) != 0 {
			t.Errorf("there still stop %v: %v", ids, err)
		}
	})
	t.Run("a run with a cancel request is not requeued", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		f.ok(f.store.Requeue(ctx, run))
		if got := f.get(run.ID); got.Status != app.Cancelled {
			t.Errorf("it is %+v", got)
		}
	})
}

// testRetrying tests Retry.
func testRetrying(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("a run that is tried again begins anew and keeps its history", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Failed)
		got, err := f.store.Retry(ctx, run.ID)
		f.ok(err)
		if got.Status != app.Created || got.Attempt != 0 || got.Error != "" || !got.FinishedAt.IsZero() || got.Version != run.Version+1 {
			t.Errorf("it is %+v", got)
		}
		f.finish(f.start(got), app.Outcome{Status: app.Completed})
		f.checkEvents(run.ID, app.Started, app.Failed, app.Created, app.Started, app.Completed)
	})
	t.Run("a run that is tried again for ever does not grow for ever", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Created)
		for range app.MaxEvents {
			f.finish(f.start(run), app.Outcome{Status: app.Failed})
			_, err := f.store.Retry(ctx, run.ID)
			f.ok(err)
		}
		page, err := f.store.Run(ctx, run.ID)
		if f.ok(err); len(page.Events) != app.MaxEvents || page.Events[app.MaxEvents-1].Version != page.Run.Version {
			t.Errorf("there are %d events", len(page.Events))
		}
		for range 3 {
			if subject.Reopen == nil {
				break
			}
			f.start(f.get(run.ID))
			f.store = subject.Reopen(t, f.store) // as after a crash
			page, err = f.store.Run(ctx, run.ID)
			if f.ok(err); len(page.Events) != app.MaxEvents || page.Events[app.MaxEvents-1].Version != page.Run.Version {
				t.Errorf("after a crash there are %d events", len(page.Events))
			}
			_, err = f.store.Cancel(ctx, run.ID)
			f.ok(err)
			_, err = f.store.Retry(ctx, run.ID)
			f.ok(err)
		}
	})
}

// checkEvents fails unless the history of a run has these statuses, at rising versions above 1.
func (f fixture) checkEvents(run int64, want ...app.Status) {
	f.Helper()
	page, err := f.store.Run(ctx, run)
	f.ok(err)
	if len(page.Events) != len(want) {
		f.Fatalf("the events are %+v and should be %v", page.Events, want)
	}
	version := int64(1)
	for i, event := range page.Events {
		if event.Status != want[i] || event.Version <= version || event.At.IsZero() {
			f.Fatalf("the events are %+v and should be %v", page.Events, want)
		}
		version = event.Version
	}
}
