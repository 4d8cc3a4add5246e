package dbtest

import (
	"testing"
	"time"

	"runboard/app"
)

// testWaiting tests what readers say of runs that wait, and that a start respects it.
func testWaiting(t *testing.T, subject Subject) {
	settings := Settings{Definitions: kinds{
		{Name: "free"},
		{Name: "whole", Policy: app.Policy{Concurrency: 2}},
		{Name: "keyed", Policy: app.Policy{Concurrency: 1, ConcurrencyKey: []string{"database"}}},
	}}
	t.Run("runs wait for a full limit", func(t *testing.T) {
		checkWaitingForLimit(t, openWith(t, subject, settings))
	})
	t.Run("runs wait for a limit of their key", func(t *testing.T) {
		checkWaitingForKey(t, openWith(t, subject, settings))
	})
	t.Run("runs of a paused kind wait", func(t *testing.T) {
		checkWaitingForResume(t, openWith(t, subject, settings))
	})
	t.Run("runs that are not due wait for nothing else", func(t *testing.T) {
		checkNotDue(t, openWith(t, subject, settings))
	})
}

// wantWaiting checks what every reader says that a run waits for.
func (f fixture) wantWaiting(run app.ProcessRun, want app.Waiting) {
	f.Helper()
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	byID, err := f.store.RunsByID(ctx, []int64{run.ID})
	f.ok(err)
	revisions, err := f.store.Revisions(ctx, []int64{run.ID})
	f.ok(err)
	revision := page.Revision()
	revision.Position = app.Position{}
	if page.Run.Waiting != want || byID[0].Waiting != want || revisions[run.ID] != revision {
		f.Fatalf("run %d waits for %+v, %+v and %+v, not %+v", run.ID,
			page.Run.Waiting, byID[0].Waiting, revisions[run.ID].Waiting, want)
	}
	list, err := f.store.Page(ctx, app.Query{})
	f.ok(err)
	for _, listed := range list.Runs {
		if listed.ID == run.ID && listed.Waiting != want {
			f.Fatalf("in the list, run %d waits for %+v, not %+v", run.ID, listed.Waiting, want)
		}
	}
}

func forDatabase(name string) app.InputValues {
	return app.InputValues{{Name: "database", Type: app.TextInput, Texts: []string{name}}}
}

func checkWaitingForLimit(t *testing.T, f fixture) {
	t.Parallel()
	runs := f.createOf("whole", 4, nil)
	other := f.createOf("free", 1, nil)[0]
	f.wantWaiting(runs[3], app.Waiting{})
	first := f.start(runs[0])
	f.wantWaiting(runs[2], app.Waiting{})
	second := f.start(runs[1])
	full := app.Waiting{Limit: 2, By: first.ID}
	f.wantWaiting(runs[2], full)
	f.wantWaiting(runs[3], full)
	f.wantWaiting(first, app.Waiting{})
	f.wantWaiting(other, app.Waiting{})
	f.finish(first, app.Outcome{Status: app.Completed})
	f.wantWaiting(runs[2], app.Waiting{})
	f.start(runs[2])
	f.wantWaiting(runs[3], app.Waiting{Limit: 2, By: second.ID})
}

func checkWaitingForKey(t *testing.T, f fixture) {
	t.Parallel()
	shop := f.createOf("keyed", 2, forDatabase("shop"))
	crm := f.createOf("keyed", 2, forDatabase("crm"))
	f.start(shop[0])
	f.wantWaiting(shop[1], app.Waiting{Limit: 1, By: shop[0].ID})
	f.wantWaiting(crm[0], app.Waiting{})
	f.start(crm[0])
	f.wantWaiting(crm[1], app.Waiting{Limit: 1, By: crm[0].ID})
}

func checkWaitingForResume(t *testing.T, f fixture) {
	t.Parallel()
	first, second := f.createOf("whole", 1, nil)[0], f.createOf("free", 1, nil)[0]
	for _, kind := range []string{"whole", "free"} {
		f.ok(f.store.PauseKind(ctx, kind, true))
	}
	third := f.createOf("free", 1, nil)[0]
	for _, run := range []app.ProcessRun{first, second, third} {
		f.wantWaiting(run, app.Waiting{Paused: true})
	}
	f.ok(f.store.PauseKind(ctx, "free", false))
	f.wantWaiting(first, app.Waiting{Paused: true})
	f.wantWaiting(second, app.Waiting{})
	f.start(third)
	f.wantWaiting(third, app.Waiting{})
}

func checkNotDue(t *testing.T, f fixture) {
	t.Parallel()
	runs := f.createOf("whole", 3, nil)
	f.start(runs[0])
	f.start(runs[1])
	later := app.Outcome{Status: app.Created, Error: "Again.", RetryIn: time.Minute}
	f.finish(f.get(runs[1].ID), later)
	f.start(runs[2])
	f.wantWaiting(runs[1], app.Waiting{})
	f.clock.Advance(time.Minute)
	f.wantWaiting(runs[1], app.Waiting{Limit: 2, By: runs[0].ID})
}
