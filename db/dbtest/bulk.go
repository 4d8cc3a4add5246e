package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// testBulkActions tests bulk actions and Delete.
func testBulkActions(t *testing.T, subject Subject) {
	for _, operation := range app.BulkOperations() {
		t.Run(string(operation)+" changes all runs it applies to, and no others", func(t *testing.T) {
			t.Parallel()
			f := open(t, subject)
			f.mixed(7 * app.StatusCount)
			before, counts := f.all(), count(f.all())
			var will int64
			for _, status := range operation.AppliesTo() {
				will += counts[status]
			}
			run := f.startBulk(app.BulkAction{Operation: operation},
				app.BulkPreview{Runs: will, Skipped: counts.Total() - will})
			if state := f.advanceAll(run); state.Done != will || state.Skipped != 0 {
				t.Errorf("of %d runs, the progress is %+v", will, state)
			}
			for _, was := range before {
				f.hasDone(operation, was)
			}
			if got := f.get(run.ID); got.Status != app.Started || got.Version != 2 ||
				got.Kind != operation.Kind() {
				t.Errorf("the bulk run is %+v", got)
			}
		})
	}
	testCoveredRuns(t, subject)
	testPreview(t, subject)
	testBulkSteps(t, subject)
	testDelete(t, subject)
}

// testCoveredRuns tests which runs a bulk action applies to.
func testCoveredRuns(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("changes each selected run once, if it exists", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		a, b, c := f.in(app.Failed), f.in(app.Failed), f.in(app.Completed)
		other := f.in(app.Failed)
		action := app.BulkAction{Operation: app.BulkDelete, IDs: []int64{b.ID, a.ID, b.ID, c.ID, 9999}}
		f.advanceAll(f.startBulk(action, app.BulkPreview{Runs: 3}))
		if left := f.page(app.Query{}); left.Counts.Total() != 2 || left.Counts[app.Failed] != 1 ||
			f.get(other.ID) != other {
			t.Errorf("the remaining counts are %v", left.Counts)
		}
	})
	testCoveredByFilter(t, subject)
}

// testCoveredByFilter tests bulk actions with a filter.
func testCoveredByFilter(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("changes the runs that its filter matches", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		var meant []int64
		for i := range 12 {
			run := f.in(app.Started)
			f.finish(run, app.Outcome{Status: app.Failed, Error: []string{"paper jam", "out of ink"}[i%2]})
			if i%2 == 0 && i >= 4 {
				meant = append(meant, run.ID)
			}
			f.clock.Advance(time.Minute)
		}
		since, err := app.ParseTimeBound("8m")
		f.ok(err)
		filters := map[string]app.Filter{
			"words":          {Text: "jam", Since: since},
			"a status, too":  {Text: "jam", Since: since, Filtered: true, Status: app.Failed},
			"and a kind":     {Text: "jam", Since: since, Kind: kind},
			"another status": {Text: "jam", Since: since, Filtered: true, Status: app.Created},
		}
		for name, filter := range filters {
			want := int64(len(meant))
			if filter.Status == app.Created && filter.Filtered {
				want = 0
			}
			got, err := f.store.PreviewBulk(ctx, app.BulkAction{Operation: app.BulkRetry, Filter: filter})
			if f.ok(err); got.Runs != want || got.Skipped > 0 || got.More {
				t.Errorf("the preview for %s is %+v, want %d runs", name, got, want)
			}
		}
		run := f.startBulk(app.BulkAction{Operation: app.BulkRetry, Filter: filters["words"]},
			app.BulkPreview{Runs: int64(len(meant))})
		f.clock.Advance(time.Hour) // relative times are resolved when the action is created
		f.advanceAll(run)
		if got := f.waiting(99); !slices.Equal(ids(got), meant) {
			t.Errorf("the retried runs are %v and not %v", ids(got), meant)
		}
	})
	t.Run("skips bulk runs, unless the filter names their kind", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.in(app.Failed)
		old := f.startBulk(app.BulkAction{Operation: app.BulkRetry}, app.BulkPreview{Runs: 1})
		f.ok(f.store.Finish(ctx, old, app.Outcome{Status: app.Failed, Error: "it did not work"}))
		all := app.BulkAction{Operation: app.BulkDelete, Filter: app.Filter{Text: "work"}}
		f.advanceAll(f.startBulk(all, app.BulkPreview{Runs: 1}))
		f.get(old.ID)
		all.Filter.Kind = old.Kind
		f.advanceAll(f.startBulk(all, app.BulkPreview{})) // texts of bulk runs are not searched
		f.get(old.ID)
		all.Filter.Text = ""
		f.advanceAll(f.startBulk(all, app.BulkPreview{Runs: 1}))
		if _, err := f.store.Run(ctx, old.ID); app.CodeOf(err) != app.CodeNotFound {
			t.Errorf("the run still exists: %v", err)
		}
	})
}

// testBulkSteps tests how bulk actions are created and performed.
func testBulkSteps(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("creates one bulk run for a key", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		action := app.BulkAction{Operation: app.BulkCancel, IDs: []int64{f.in(app.Created).ID}}
		first, err := f.store.CreateBulkAction(ctx, action, "key")
		f.ok(err)
		f.changesNothing(func() {
			again, err := f.store.CreateBulkAction(ctx, action, "key")
			if f.ok(err); !same(again, first) || again.Kind != action.Operation.Kind() {
				t.Errorf("the second answer is %+v, the first %+v", again, first)
			}
			action.IDs = append(action.IDs, 7)
			_, err = f.store.CreateBulkAction(ctx, action, "key")
			f.refused(err, app.CodeInvalid)
			_, err = f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1, IdempotencyKey: "key"})
			f.refused(err, app.CodeInvalid)
		})
	})
	t.Run("is advanced only by its own started run", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.in(app.Created)
		run, ordinary := f.startBulk(app.BulkAction{Operation: app.BulkCancel},
			app.BulkPreview{Runs: 1}), f.in(app.Started)
		f.ok(f.store.Requeue(ctx, run))
		f.changesNothing(func() {
			_, err := f.store.StepBulkAction(ctx, run)
			f.refused(err, app.CodeConflict)
			_, err = f.store.StepBulkAction(ctx, ordinary)
			f.refused(err, app.CodeNotFound)
		})
	})
	t.Run("resumes after an interruption, and changes no run twice", func(t *testing.T) {
		resumesOnce(t, open(t, subject))
	})
	t.Run("is throttled at the limit of created runs", func(t *testing.T) {
		isThrottled(t, openWith(t, subject, Settings{MaxPending: 3}))
	})
}

func isThrottled(t *testing.T, f fixture) {
	t.Parallel()
	for range 5 {
		f.in(app.Failed)
	}
	run := f.startBulk(app.BulkAction{Operation: app.BulkRetry}, app.BulkPreview{Runs: 5})
	state := f.advanceWhile(run, func(state app.BulkProgress) bool {
		return !state.Throttled && !state.Finished
	})
	if state.Done != 3 || !state.Throttled || state.Finished {
		t.Fatalf("with room for three, %d runs are done", state.Done)
	}
	for _, waits := range f.waiting(2) {
		f.start(waits)
	}
	if state = f.advanceAll(run); state.Done != 5 || state.Throttled {
		t.Errorf("with room for the others, %d runs are done", state.Done)
	}
	_, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	f.refused(err, app.CodeUnavailable)
	_, err = f.store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkCancel}, "")
	f.ok(err)
}

func resumesOnce(t *testing.T, f fixture) {
	t.Parallel()
	const many = 1200 // more than one part of an action
	for range many / 600 {
		f.create(600)
	}
	f.advanceAll(f.startBulk(app.BulkAction{Operation: app.BulkCancel}, app.BulkPreview{Runs: many}))
	run := f.startBulk(app.BulkAction{Operation: app.BulkRetry}, app.BulkPreview{Runs: many})
	state, err := f.store.StepBulkAction(ctx, run)
	if f.ok(err); state.Finished || state.Done == 0 {
		t.Fatalf("the progress after the first step is %+v", state)
	}
	var again []int64
	for _, tried := range f.waiting(many) {
		_, err := f.store.Cancel(ctx, tried.ID)
		f.ok(err)
		again = append(again, tried.ID)
	}
	f.ok(f.store.Requeue(ctx, run))
	run = f.start(f.get(run.ID))
	if state := f.advanceAll(run); state.Done != many || state.Skipped != 0 {
		t.Errorf("the final progress is %+v", state)
	}
	for _, id := range again {
		if got := f.get(id); got.Status != app.Cancelled || got.Version != 4 {
			t.Fatalf("a run was changed twice: %+v", got)
		}
	}
}

func testDelete(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("deletes final runs only", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for _, status := range app.Statuses() {
			run := f.in(status)
			err := f.store.Delete(ctx, run.ID)
			if status.Final() {
				f.ok(err)
				_, err = f.store.Run(ctx, run.ID)
				f.refused(err, app.CodeNotFound)
			} else {
				f.refused(err, app.CodeConflict)
				f.is(f.get(run.ID), run)
			}
		}
		f.refused(f.store.Delete(ctx, 9999), app.CodeNotFound)
		if n := len(f.all()); n != 2 {
			t.Errorf("%d runs remain", n)
		}
	})
}

// startBulk checks the preview of an action, creates it, and returns its bulk run, started.
func (f fixture) startBulk(action app.BulkAction, want app.BulkPreview) app.ProcessRun {
	f.Helper()
	preview, err := f.store.PreviewBulk(ctx, action)
	want.Confirmation, want.Pattern = preview.Confirmation, preview.Pattern
	if err != nil || preview != want {
		f.Fatalf("the preview of %+v is %+v and not %+v: %v", action, preview, want, err)
	}
	run, err := f.store.CreateBulkAction(ctx, action, "")
	f.ok(err)
	return f.start(run)
}

// advanceAll performs an action to its end.
func (f fixture) advanceAll(run app.ProcessRun) app.BulkProgress {
	f.Helper()
	return f.advanceWhile(run, func(state app.BulkProgress) bool { return !state.Finished })
}

// advanceWhile performs steps of an action while holds returns true for the progress. It does not depend on
// the size of a step.
func (f fixture) advanceWhile(run app.ProcessRun, holds func(app.BulkProgress) bool) app.BulkProgress {
	f.Helper()
	for range 1000 {
		state, err := f.store.StepBulkAction(ctx, run)
		f.ok(err)
		if !holds(state) {
			return state
		}
	}
	f.Fatalf("the bulk action does not end")
	return app.BulkProgress{}
}

// hasDone fails unless a run is as the operation must have left it. was is the run before the operation.
func (f fixture) hasDone(operation app.BulkOperation, was app.ProcessRun) {
	f.Helper()
	page, err := f.store.Run(ctx, was.ID)
	now := page.Run
	if !slices.Contains(operation.AppliesTo(), was.Status) {
		if f.ok(err); now != was {
			f.Fatalf("%s changed the run to %+v, from %+v", operation, now, was)
		}
		return
	}
	var done bool
	switch operation {
	case app.BulkCancel:
		done = now.CancelRequested() || was.Status == app.Created && now.Status == app.Cancelled
	case app.BulkRetry:
		done = now.Status == app.Created
	case app.BulkDelete:
		done = app.CodeOf(err) == app.CodeNotFound
	}
	if !done {
		f.Fatalf("%s changed the run to %+v, from %+v: %v", operation, now, was, fmt.Sprint(err))
	}
}
