package dbtest

import (
	"testing"

	"runboard/app"
)

// testUndo tests Undo and UndoBulk.
func testUndo(t *testing.T, subject Subject) {
	t.Run("Undo queues a cancelled run again", func(t *testing.T) {
		f := open(t, subject)
		run, err := f.store.Cancel(ctx, f.in(app.Created).ID)
		f.ok(err)
		got, err := f.store.Undo(ctx, run.ID, run.Version)
		f.ok(err)
		if got.Status != app.Created || got.Version != run.Version+1 || !same(got, f.get(run.ID)) {
			t.Errorf("the run is %+v", got)
		}
	})
	t.Run("Undo leaves a run alone that has changed", func(t *testing.T) {
		undoesNothingElse(open(t, subject))
	})
	t.Run("UndoBulk queues exactly the runs again that were cancelled", func(t *testing.T) {
		undoesBulk(open(t, subject), func(f fixture, ids []int64) app.BulkAction {
			return app.BulkAction{Operation: app.BulkCancel, IDs: ids}
		})
	})
	t.Run("UndoBulk works for a filter", func(t *testing.T) {
		undoesBulk(open(t, subject), func(fixture, []int64) app.BulkAction {
			return app.BulkAction{Operation: app.BulkCancel, Filter: app.ByStatus(app.Created).Filter}
		})
	})
	t.Run("UndoBulk refuses what cannot be undone", func(t *testing.T) {
		f := open(t, subject)
		_, _, err := f.store.UndoBulk(ctx, f.in(app.Failed).ID, "")
		wantCode(f, err, app.CodeNotFound)
		action := app.BulkAction{Operation: app.BulkDelete, IDs: []int64{1}}
		deletion, err := f.store.CreateBulkAction(ctx, action, "")
		f.ok(err)
		_, _, err = f.store.UndoBulk(ctx, deletion.ID, "")
		wantCode(f, err, app.CodeConflict)
	})
}

func wantCode(f fixture, err error, want app.Code) {
	f.Helper()
	if got := app.CodeOf(err); got != want {
		f.Fatalf("the error is %v with the code %v, want %v", err, got, want)
	}
}

func undoesNothingElse(f fixture) {
	cancelled, err := f.store.Cancel(ctx, f.in(app.Created).ID)
	f.ok(err)
	again, err := f.store.Retry(ctx, cancelled.ID)
	f.ok(err)
	for _, version := range []int64{cancelled.Version, again.Version, 99} {
		_, err := f.store.Undo(ctx, cancelled.ID, version)
		wantCode(f, err, app.CodeConflict)
	}
	_, err = f.store.Cancel(ctx, cancelled.ID) // by another user, after the first cancellation
	f.ok(err)
	_, err = f.store.Undo(ctx, cancelled.ID, cancelled.Version)
	wantCode(f, err, app.CodeConflict)
	failed := f.in(app.Failed)
	_, err = f.store.Undo(ctx, failed.ID, failed.Version)
	wantCode(f, err, app.CodeConflict)
	_, err = f.store.Undo(ctx, 1<<60, 1)
	wantCode(f, err, app.CodeNotFound)
}

// undoesBulk cancels runs with a bulk action and undoes it, after some of the runs have changed.
func undoesBulk(f fixture, action func(f fixture, ids []int64) app.BulkAction) {
	byHand, err := f.store.Cancel(ctx, f.in(app.Created).ID) // not by the action
	f.ok(err)
	runs := f.create(4)
	bulk, err := f.store.CreateBulkAction(ctx, action(f, ids(runs)), "")
	f.ok(err)
	f.advanceAll(f.start(bulk))
	changed := f.get(runs[0].ID) // cancelled, retried and cancelled by hand
	_, err = f.store.Retry(ctx, changed.ID)
	f.ok(err)
	_, err = f.store.Cancel(ctx, changed.ID)
	f.ok(err)
	undo, kept, err := f.store.UndoBulk(ctx, bulk.ID, "")
	f.ok(err)
	if kept != 1 {
		f.Fatalf("%d runs are kept, want 1", kept)
	}
	f.advanceAll(f.start(undo))
	for _, run := range runs[1:] {
		if got := f.get(run.ID).Status; got != app.Created {
			f.Fatalf("run %d is %s", run.ID, got)
		}
	}
	for _, run := range []app.ProcessRun{byHand, changed} {
		if got := f.get(run.ID).Status; got != app.Cancelled {
			f.Fatalf("run %d, which the action did not cancel last, is %s", run.ID, got)
		}
	}
	_, _, err = f.store.UndoBulk(ctx, bulk.ID, "") // a second time
	wantCode(f, err, app.CodeConflict)
}
