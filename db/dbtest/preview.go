package dbtest

import (
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// testPreview tests that a bulk action changes only the runs of its preview.
func testPreview(t *testing.T, subject Subject) {
	t.Helper()
	failed := app.Filter{Filtered: true, Status: app.Failed}
	for name, operation := range map[string]app.BulkAction{
		"delete": {Operation: app.BulkDelete,
			Filter: failed}, "retry": {Operation: app.BulkRetry}, "cancel": {Operation: app.BulkCancel},
	} {
		testBeforeConfirmation(t, subject, name, operation)
		testAfterConfirmation(t, subject, name, operation)
	}
	t.Run("changes no more runs than its preview at the same instant", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		action := app.BulkAction{Operation: app.BulkDelete, Filter: failed}
		enter := f.entering(action)
		f.in(app.Failed)
		acting := f.confirm(f.preview(action, 1))
		enter() // the clock stands still, so the run finishes no later than the preview
		if state := f.advanceAll(acting); state.Done != 1 || !state.Finished {
			t.Errorf("the progress is %+v", state)
		}
	})
	testPreviewOfSelectedRuns(t, subject)
	testRepeatedPreview(t, subject)
}

// testBeforeConfirmation tests changes between the preview of a bulk action and its creation.
func testBeforeConfirmation(t *testing.T, subject Subject, name string, operation app.BulkAction) {
	t.Helper()
	t.Run(name+" skips newer runs", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		old := []app.ProcessRun{f.in(from), f.in(from)}
		action := f.preview(operation, 2)
		newer := f.in(from)
		f.advanceAll(f.confirm(action))
		f.changed(operation, old...)
		f.is(f.get(newer.ID), newer)
	})
	t.Run(name+" is refused if a run enters the status before", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		f.in(from)
		enter := f.entering(operation)
		action := f.preview(operation, 1)
		f.clock.Advance(time.Second)
		enter()
		f.unconfirmed(action)
	})
	t.Run(name+" is refused if one run enters and one leaves", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		run := f.in(from)
		enter := f.entering(operation)
		action := f.preview(operation, 1)
		f.clock.Advance(time.Second)
		enter()
		f.leave(run)
		f.unconfirmed(action)
	})
	t.Run(name+" is done if a run left the status", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		run, gone := f.in(from), f.in(from)
		action := f.preview(operation, 2)
		f.clock.Advance(time.Second)
		f.leave(gone)
		f.advanceAll(f.confirm(action))
		f.changed(operation, run)
	})
}

// testAfterConfirmation tests changes after the creation of a bulk action.
func testAfterConfirmation(t *testing.T, subject Subject, name string, operation app.BulkAction) {
	t.Helper()
	t.Run(name+" skips runs that enter the status later", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		enter := f.entering(operation)
		run := f.in(from)
		action := f.preview(operation, 1)
		acting := f.confirm(action)
		f.clock.Advance(time.Second)
		entered := enter()
		if state := f.advanceAll(acting); state.Done != 1 {
			t.Errorf("the progress is %+v", state)
		}
		f.changed(operation, run)
		f.is(f.get(entered.ID), entered)
	})
	t.Run(name+" without preview is limited to its creation", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		from, _ := sides(operation)
		enter := f.entering(operation)
		run := f.in(from)
		acting := f.confirm(operation)
		f.clock.Advance(time.Second)
		entered, newer := enter(), f.in(from)
		f.advanceAll(acting)
		f.changed(operation, run)
		f.is(f.get(entered.ID), entered)
		f.is(f.get(newer.ID), newer)
	})
}

func testPreviewOfSelectedRuns(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("skips selected runs that enter the status later", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		done, working, other := f.in(app.Completed), f.in(app.Started), f.in(app.Started)
		action := f.preview(app.BulkAction{Operation: app.BulkDelete,
			IDs: []int64{done.ID, working.ID, other.ID}}, 1)
		f.clock.Advance(time.Second)
		working = f.finish(working, app.Outcome{Status: app.Completed})
		f.unconfirmed(action)
		f.ok(f.store.Delete(ctx, done.ID))
		f.unconfirmed(action) // again one run, but another one
		action = f.preview(action.Unconfirmed(), 1)
		acting := f.confirm(action)
		f.clock.Advance(time.Second)
		other = f.finish(other, app.Outcome{Status: app.Completed})
		f.advanceAll(acting)
		f.changed(action, working)
		f.is(f.get(other.ID), other)
	})
	t.Run("progress of a run does not refuse its cancellation", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		run, waiting := f.in(app.Started), f.in(app.Created)
		action := f.preview(app.BulkAction{Operation: app.BulkCancel}, 2)
		f.clock.Advance(time.Second)
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Progress: &app.Progress{Percent: 50}}))
		f.start(waiting)
		f.advanceAll(f.confirm(action))
		f.changed(action, run, waiting)
	})
	t.Run("a cancellation of created runs skips started ones", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		waiting, started := f.in(app.Created), f.in(app.Created)
		action := f.preview(app.BulkAction{Operation: app.BulkCancel,
			Filter: app.Filter{Filtered: true, Status: app.Created}}, 2)
		acting := f.confirm(action)
		started = f.start(started)
		f.advanceAll(acting)
		f.changed(action, waiting)
		f.is(f.get(started.ID), started)
	})
}

func testRepeatedPreview(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("a key belongs to the request with relative times", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.in(app.Failed)
		since, err := app.ParseTimeBound("24h")
		f.ok(err)
		action := app.BulkAction{Operation: app.BulkRetry, Filter: app.Filter{Since: since}}
		first, err := f.store.CreateBulkAction(ctx, action, "key")
		f.ok(err)
		f.clock.Advance(time.Hour)
		again, err := f.store.CreateBulkAction(ctx, action, "key")
		if f.ok(err); again.ID != first.ID {
			t.Errorf("the bulk runs are %d and then %d", first.ID, again.ID)
		}
		action.Filter.Since, err = app.ParseTimeBound("23h")
		f.ok(err)
		_, err = f.store.CreateBulkAction(ctx, action, "key")
		f.refused(err, app.CodeInvalid)
	})
	t.Run("a repeated confirmation returns the first bulk run", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.in(app.Failed)
		working := f.in(app.Started)
		action := f.preview(app.BulkAction{Operation: app.BulkRetry}, 1)
		first, err := f.store.CreateBulkAction(ctx, action, "key")
		f.ok(err)
		f.clock.Advance(time.Second)
		f.finish(working, app.Outcome{Status: app.Failed, Error: "It did not work."})
		f.unconfirmed(action)
		again, err := f.store.CreateBulkAction(ctx, action, "key")
		if f.ok(err); again.ID != first.ID {
			t.Errorf("the bulk runs are %d and then %d", first.ID, again.ID)
		}
	})
	t.Run("a refused request does not save its key", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		working := f.in(app.Started)
		action := f.preview(app.BulkAction{Operation: app.BulkRetry}, 0)
		f.clock.Advance(time.Second)
		f.finish(working, app.Outcome{Status: app.Failed, Error: "It did not work."})
		_, err := f.store.CreateBulkAction(ctx, action, "key")
		f.refused(err, app.CodeConflict)
		_, err = f.store.CreateBulkAction(ctx, f.preview(action.Unconfirmed(), 1), "key")
		f.ok(err)
	})
}

// sides returns a status that the operation applies to, and a status outside from which a run can enter it.
func sides(action app.BulkAction) (from, outside app.Status) {
	if action.Operation == app.BulkCancel {
		return app.Created, app.Failed
	}
	return app.Failed, app.Started
}

// entering creates a run outside, and returns a function that brings it into a status that the operation
// applies to.
func (f fixture) entering(action app.BulkAction) func() app.ProcessRun {
	f.Helper()
	_, outside := sides(action)
	run := f.in(outside)
	return func() app.ProcessRun {
		f.Helper()
		if action.Operation == app.BulkCancel {
			_, err := f.store.Retry(ctx, run.ID)
			f.ok(err)
			return f.get(run.ID)
		}
		return f.finish(run, app.Outcome{Status: app.Failed, Error: "It did not work."})
	}
}

// leave brings a run out of the statuses that the operation applies to.
func (f fixture) leave(run app.ProcessRun) {
	f.Helper()
	var err error
	if run.Status == app.Created {
		_, err = f.store.Cancel(ctx, run.ID)
	} else {
		_, err = f.store.Retry(ctx, run.ID)
	}
	f.ok(err)
}

// preview returns the action with the confirmation of its preview. It fails unless the preview shows this
// number of runs.
func (f fixture) preview(action app.BulkAction, runs int64) app.BulkAction {
	f.Helper()
	preview, err := f.store.PreviewBulk(ctx, action)
	if f.ok(err); preview.Runs != runs || preview.Confirmation.Runs != runs || !preview.Confirmation.Checked {
		f.Fatalf("the preview of %+v is %+v and not %d runs", action, preview, runs)
	}
	action.Confirmed = preview.Confirmation
	return action
}

// confirm creates the action and returns its bulk run, started.
func (f fixture) confirm(action app.BulkAction) app.ProcessRun {
	f.Helper()
	run, err := f.store.CreateBulkAction(ctx, action, "")
	f.ok(err)
	return f.start(run)
}

// unconfirmed fails unless the action is refused because it no longer fits its preview.
func (f fixture) unconfirmed(action app.BulkAction) {
	f.Helper()
	f.changesNothing(func() {
		_, err := f.store.CreateBulkAction(ctx, action, "")
		f.refused(err, app.CodeConflict)
	})
}

// changed fails unless the action has changed these runs.
func (f fixture) changed(action app.BulkAction, runs ...app.ProcessRun) {
	f.Helper()
	for _, run := range runs {
		if !slices.Contains(action.Operation.AppliesTo(), run.Status) {
			f.Fatalf("%s does not apply to %+v", action.Operation, run)
		}
		f.hasDone(action.Operation, run)
	}
}
