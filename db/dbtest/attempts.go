package dbtest

import (
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// testAttempts tests where the log of each attempt begins.
func testAttempts(t *testing.T, subject Subject) {
	for name, start := range map[string]func(f fixture, run app.ProcessRun){
		"started alone":    func(f fixture, run app.ProcessRun) { f.start(run) },
		"started together": func(f fixture, run app.ProcessRun) { f.startTogether(f.get(run.ID)) },
	} {
		t.Run("attempts that are "+name+" know where their log begins", func(t *testing.T) {
			t.Parallel()
			f := open(t, subject)
			run := f.create(1)[0]
			start(f, run)
			f.writes(f.get(run.ID), "one\n", "two\n")
			f.finish(f.get(run.ID), app.Outcome{Status: app.Created, Error: "Again."})
			start(f, run)
			f.wantLogOffsets(run, 0, 8)
			f.finish(f.get(run.ID), app.Outcome{Status: app.Created, Error: "And again."})
			start(f, run)
			f.writes(f.get(run.ID), "three\n")
			f.wantLogOffsets(run, 0, 8, 8)
			f.finish(f.get(run.ID), app.Outcome{Status: app.Failed, Error: "Enough."})
			_, err := f.store.Retry(ctx, run.ID)
			f.ok(err)
			start(f, run)
			f.wantLogOffsets(run, 0, 8, 8, 14)
		})
	}
	t.Run("other events have no log offset", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		run := f.in(app.Started)
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		f.finish(run, app.Outcome{Status: app.Completed})
		page, err := f.store.Run(ctx, run.ID)
		f.ok(err)
		for _, event := range page.Events[1:] {
			if event.LogOffset != app.UnknownOffset {
				f.Fatalf("the event %+v has a log offset", event)
			}
		}
	})
}

// testQueuedAgain tests that pages and lists know how long a run waited for its last attempt.
func testQueuedAgain(t *testing.T, subject Subject) {
	f := open(t, subject)
	run := f.create(1)[0]
	step := f.clock.Advance
	step(time.Second)
	f.start(run)
	f.wantWaited(run.ID, time.Second)
	step(time.Second)
	f.finish(f.get(run.ID), app.Outcome{Status: app.Created, Error: "Again."})
	step(3 * time.Second)
	f.start(run)
	f.wantWaited(run.ID, 3*time.Second)
	f.finish(f.get(run.ID), app.Outcome{Status: app.Failed, Error: "Enough."})
	f.wantWaited(run.ID, 3*time.Second)
	step(time.Minute)
	_, err := f.store.Retry(ctx, run.ID)
	f.ok(err)
	step(5 * time.Second)
	f.start(run)
	f.wantWaited(run.ID, 5*time.Second)
	step(time.Second)
	f.finish(f.get(run.ID), app.Outcome{Status: app.Created, Error: "Again."})
	step(7 * time.Second)
	_, err = f.store.Cancel(ctx, run.ID)
	f.ok(err)
	f.wantWaited(run.ID, 7*time.Second)
}

// wantWaited checks how long a run waited in everything that is read for pages.
func (f fixture) wantWaited(id int64, want time.Duration) {
	f.Helper()
	listed, err := f.store.RunsByID(ctx, []int64{id})
	f.ok(err)
	page, err := f.store.Run(ctx, id)
	f.ok(err)
	for where, run := range map[string]app.ProcessRun{
		"page of the run": page.Run, "list": f.page(app.Query{}).Runs[0], "list by number": listed[0],
	} {
		if got, known := run.Waited(); got != want || !known {
			f.Fatalf("on the %s it waited %v (%v), want %v", where, got, known, want)
		}
	}
}

func (f fixture) wantLogOffsets(run app.ProcessRun, want ...int64) {
	f.Helper()
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	var got []int64
	for _, attempt := range app.Attempts(page.Events) {
		got = append(got, attempt.LogOffset)
	}
	if !slices.Equal(got, want) {
		f.Fatalf("the logs of the attempts begin at %v and not at %v", got, want)
	}
}
