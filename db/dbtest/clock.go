package dbtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

// testClockSetBack tests what happens if the clock is set back.
func testClockSetBack(t *testing.T, subject Subject) {
	const step = 3 * time.Hour
	t.Run("a scheduled run waits no longer than its delay", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		run := f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more.",
			RetryIn: time.Minute})
		f.awaitClockRead()
		f.clock.Advance(-step)
		f.untilDue(run.ID, time.Minute)
		if got := f.get(run.ID); got.Version != run.Version+1 || got.Error != run.Error ||
			got.Attempt != run.Attempt {
			t.Errorf("the run is %+v and was %+v", got, run)
		}
	})
	t.Run("a scheduled run waits no longer after a restart", func(t *testing.T) {
		t.Parallel()
		if subject.Reopen == nil {
			t.Skip("this store cannot be reopened")
		}
		f := open(t, subject)
		run := f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more.",
			RetryIn: time.Minute})
		f.clock.Advance(-step)
		f.store = subject.Reopen(t, f.store)
		f.untilDue(run.ID, time.Minute)
	})
	t.Run("lists and bulk actions match by time", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		var all []app.ProcessRun
		for _, after := range []time.Duration{0, 4 * time.Hour, -step, -step, 30 * time.Minute,
			8 * time.Hour, -step} {
			f.clock.Advance(after)
			for range 3 {
				all = append([]app.ProcessRun{f.in(app.Failed)}, all...)
			}
		}
		first := all[len(all)-1].CreatedAt
		for hours := range 12 {
			since := app.At(first.Add(time.Duration(hours-4) * time.Hour))
			until := app.At(first.Add(time.Duration(hours-1) * time.Hour))
			for _, filter := range []app.Filter{{Since: since}, {Until: until},
				{Since: since, Until: until}} {
				f.findsByTime(all, filter)
			}
		}
		filter := app.Filter{Since: app.At(first.Add(time.Hour)), Until: app.At(first.Add(5 * time.Hour))}
		want := f.findsByTime(all, filter)
		f.advanceAll(f.confirm(f.preview(app.BulkAction{Operation: app.BulkRetry, Filter: filter},
			int64(len(want)))))
		for _, run := range all {
			if retried := f.get(run.ID).Status == app.Created; retried != wanted(filter, run, f.clock.Now()) {
				t.Errorf("of the run created at %s, retried is %t", run.CreatedAt, retried)
			}
		}
	})
}

// awaitClockRead waits until the idle store has read the clock, as it does about every second.
func (f fixture) awaitClockRead() {
	f.Helper()
	before := f.clock.reads.Load()
	f.eventually(func() error {
		if f.clock.reads.Load() == before {
			return errors.New("the store did not read the clock")
		}
		return nil
	})
}

// untilDue waits until a run is scheduled no later than wait from now.
func (f fixture) untilDue(run int64, wait time.Duration) {
	f.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		due := f.get(run).ScheduledAt
		if !due.After(f.clock.Now().Add(wait)) {
			return
		}
		if time.Now().After(end) {
			f.Fatalf("at %s the run is scheduled at %s", f.clock.Now(), due)
		}
	}
}

// findsByTime fails unless a page finds exactly the runs that match the filter. It returns their ids.
func (f fixture) findsByTime(all []app.ProcessRun, filter app.Filter) (want []int64) {
	f.Helper()
	for _, run := range all {
		if wanted(filter, run, f.clock.Now()) {
			want = append(want, run.ID)
		}
	}
	page := f.page(app.Query{Filter: filter})
	if got := fmt.Sprint(ids(page.Runs)); got != fmt.Sprint(want) || page.MatchCount != len(want) {
		f.Fatalf("from %s to %s the list has %s, %d in all, and not %v", filter.Since, filter.Until, got,
			page.MatchCount, want)
	}
	return want
}
