package dbtest

import (
	"testing"

	"runboard/app"
)

// testCancelAndRetry tests Cancel and Retry.
func testCancelAndRetry(t *testing.T, subject Subject) {
	testCancel(t, subject)
	testRetry(t, subject)
}

// testCancel tests Cancel.
func testCancel(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("Cancel ends a created run at once", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Created)
		got, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		if got.Status != app.Cancelled || got.Version != 2 || got.FinishedAt.IsZero() ||
			!same(got, f.get(run.ID)) {
			t.Errorf("the run is %+v", got)
		}
		if waiting := f.waiting(5); len(waiting) != 0 {
			t.Errorf("the due runs are %+v", waiting)
		}
	})
	t.Run("Cancel requests the cancellation of a started run once", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		for range 3 {
			got, err := f.store.Cancel(ctx, run.ID)
			f.ok(err)
			if !got.CancelRequested() || got.Version != 3 {
				t.Errorf("the run is %+v", got)
			}
		}
		requests, err := f.store.CancelRequests(ctx)
		want := app.CancelRequest{Run: run.ID, FencingToken: run.FencingToken}
		if f.ok(err); len(requests) != 1 || requests[0] != want {
			t.Errorf("the cancel requests are %+v", requests)
		}
		if got := f.finish(run, app.Outcome{Status: app.Completed}); got.Status != app.Cancelled ||
			got.Error == "" || got.Version != 4 {
			t.Errorf("the run ends as %+v", got)
		}
		if ids, err := f.store.CancelRequests(ctx); err != nil || len(ids) != 0 {
			t.Errorf("the cancel requests are still %v: %v", ids, err)
		}
	})
	t.Run("Requeue cancels a run with a cancel request", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		f.ok(f.store.Requeue(ctx, run))
		if got := f.get(run.ID); got.Status != app.Cancelled {
			t.Errorf("the run is %+v", got)
		}
	})
}

// testRetry tests Retry.
func testRetry(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("Retry resets a run and keeps its history", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Failed)
		got, err := f.store.Retry(ctx, run.ID)
		f.ok(err)
		if got.Status != app.Created || got.Attempt != 0 || got.Error != "" || !got.FinishedAt.IsZero() ||
			got.Version != run.Version+1 {
			t.Errorf("the run is %+v", got)
		}
		f.finish(f.start(got), app.Outcome{Status: app.Completed})
		f.checkEvents(run.ID, app.Started, app.Failed, app.Created, app.Started, app.Completed)
	})
	t.Run("Retry keeps a limited number of events", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Created)
		for range app.MaxEvents {
			f.finish(f.start(run), app.Outcome{Status: app.Failed})
			_, err := f.store.Retry(ctx, run.ID)
			f.ok(err)
		}
		page, err := f.store.Run(ctx, run.ID)
		f.ok(err)
		if len(page.Events) != app.MaxEvents || page.Events[app.MaxEvents-1].Version != page.Run.Version {
			t.Errorf("the run has %d events", len(page.Events))
		}
		for range 3 {
			if subject.Reopen == nil {
				break
			}
			f.start(f.get(run.ID))
			f.store = subject.Reopen(t, f.store) // as after a crash
			page, err = f.store.Run(ctx, run.ID)
			f.ok(err)
			if len(page.Events) != app.MaxEvents || page.Events[app.MaxEvents-1].Version != page.Run.Version {
				t.Errorf("after a crash the run has %d events", len(page.Events))
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
