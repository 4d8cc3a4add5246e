package dbtest

import (
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

// testRecurrence tests that a group that had been resolved says so when it fails again.
func testRecurrence(t *testing.T, subject Subject) {
	const day = 24 * time.Hour
	t.Run("after a day without failures", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		group := f.fails("no ink for 7").Failure
		f.clock.Advance(day - time.Millisecond)
		f.fails("no ink for 8")
		f.recurs(group, app.Recurrence{})
		before := f.clock.Now()
		f.clock.Advance(12 * day)
		f.fails("no ink for 9")
		again := app.Recurrence{At: f.clock.Now(), QuietSince: before}
		f.recurs(group, again)
		f.clock.Advance(day - time.Millisecond)
		f.recurs(group, again)
		f.clock.Advance(time.Millisecond)
		f.recurs(group, app.Recurrence{})
	})
	t.Run("after its last run was retried or deleted", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first, before := f.fails("no ink for 7"), f.clock.Now()
		f.clock.Advance(time.Hour)
		retried, err := f.store.Retry(ctx, first.ID)
		f.ok(err)
		f.finish(f.start(retried), app.Outcome{Status: app.Failed, Error: "no ink for 7"})
		again := app.Recurrence{At: f.clock.Now(), QuietSince: before}
		f.recurs(first.Failure, again)

		f.clock.Advance(time.Minute) // a shorter pause is no news
		f.ok(f.store.Delete(ctx, first.ID))
		f.fails("no ink for 8")
		f.recurs(first.Failure, again)
	})
	t.Run("after a bulk retry", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		group := f.fails("no ink for 1").Failure
		f.fails("no ink for 2")
		before := f.clock.Now()
		f.clock.Advance(time.Hour)
		f.advanceAll(f.startBulk(app.BulkAction{Operation: app.BulkRetry,
			Filter: app.Filter{Failure: group}}, app.BulkPreview{Runs: 2}))
		for _, run := range f.waiting(2) {
			f.finish(f.start(run), app.Outcome{Status: app.Failed, Error: "no ink for 3"})
			f.clock.Advance(time.Second)
		}
		f.recurs(group, app.Recurrence{At: before.Add(time.Hour), QuietSince: before})
	})
	t.Run("when many runs fail at once", func(t *testing.T) { returnsAtOnce(t, open(t, subject)) })
	if subject.Reopen == nil {
		return
	}
	t.Run("by runs that a crash has interrupted", func(t *testing.T) { returnsAfterCrashes(t, subject) })
}

// returnsAfterCrashes fails runs by a crash, which has no attempt that ends.
func returnsAfterCrashes(t *testing.T, subject Subject) {
	t.Parallel()
	const pause = 48 * time.Hour
	f := openWith(t, subject, Settings{MaxCrashes: 1})
	var failed app.ProcessRun
	var before time.Time
	for range 2 {
		before = f.clock.Now()
		run, other := f.in(app.Started), f.in(app.Started)
		f.clock.Advance(pause)
		f.store = subject.Reopen(t, f.store)
		failed = f.get(run.ID)
		if other := f.get(other.ID); failed.Failure == 0 || other.Failure != failed.Failure {
			t.Fatalf("the runs are %+v and %+v", failed, other)
		}
	}
	f.recurs(failed.Failure, app.Recurrence{At: before.Add(pause), QuietSince: before})
}

// returnsAtOnce fails many runs of a quiet group concurrently: each may find that the group returns.
func returnsAtOnce(t *testing.T, f fixture) {
	t.Parallel()
	group, before := f.fails("no ink for 0").Failure, f.clock.Now()
	var runs []app.ProcessRun
	for range 16 {
		runs = append(runs, f.in(app.Started))
	}
	f.clock.Advance(24 * time.Hour)
	errs := make(chan error)
	for _, run := range runs {
		go func() {
			outcome := app.Outcome{Status: app.Failed, Error: fmt.Sprint("no ink for ", run.ID)}
			errs <- f.store.Finish(ctx, run, outcome)
		}()
	}
	for range runs {
		f.ok(<-errs)
	}
	f.recurs(group, app.Recurrence{At: f.clock.Now(), QuietSince: before})
	if got := f.group(group).Runs; got != 17 {
		t.Errorf("%d runs are failed with it, want 17", got)
	}
}

// recurs fails unless a group has a recurrence wherever it is read.
func (f fixture) recurs(id int64, want app.Recurrence) {
	f.Helper()
	if got := f.group(id).Recurrence; got != want {
		f.Fatalf("the recurrence is %+v, want %+v", got, want)
	}
	for _, group := range f.failures(app.MostRuns).Failures {
		if group.ID == id && group.Recurrence != want {
			f.Fatalf("in the list, the recurrence is %+v, want %+v", group.Recurrence, want)
		}
	}
}
