package dbtest

import (
	"slices"
	"testing"

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
