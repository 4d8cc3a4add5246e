package postgres

import (
	"testing"

	"runboard/app"
)

func TestSaveProgress_RepeatedUpdateIsWrittenOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := start(t, store, create(t, store, 1)[0])
	reports := []app.ProgressUpdate{
		{ID: 7, Lines: []app.LogLine{{Text: "one\n"}}},
		{ID: -8, Progress: &app.Progress{Percent: 50}, Lines: []app.LogLine{{Text: "two\n"}}},
		{ID: 9, Progress: &app.Progress{Percent: 60}},
		{Lines: []app.LogLine{{Text: "three\n"}}},
	}
	for _, report := range reports {
		ok(t, store.SaveProgress(ctx, run, report))
		if report.ID != 0 {
			ok(t, store.SaveProgress(ctx, run, report)) // the answer was lost
		}
	}
	log, err := store.Log(ctx, app.LogQuery{Run: run.ID, Bytes: 1000, Lines: 10})
	ok(t, err)
	var text string
	for _, line := range log.Lines {
		text += line.Text
	}
	if text != "one\ntwo\nthree\n" {
		t.Errorf("the log is %q", text)
	}
	if got := get(t, store, run.ID); got.Version != run.Version+2 || got.Percent != 60 {
		t.Errorf("the run is %+v", got)
	}
	ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}))
	wantCode(t, store.SaveProgress(ctx, run, reports[2]), app.CodeConflict)
}
