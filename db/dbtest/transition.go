package dbtest

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"runboard/app"
)

func testTransitions(t *testing.T, subject Subject) {
	t.Run("Start renews the fencing token and begins an attempt", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first := f.in(app.Started)
		retried := f.finish(first, app.Outcome{Status: app.Created, Error: "Once more.",
			RetryIn: time.Minute})
		f.clock.Advance(time.Hour)
		second := f.start(retried)
		want := retried
		want.Status, want.Version, want.Attempt, want.Error = app.Started, 4, 2, ""
		want.StartedAt, want.UpdatedAt, want.ScheduledAt = f.clock.Now(), f.clock.Now(), time.Time{}
		f.is(second, want)
		if f.get(second.ID) != second || second.FencingToken <= first.FencingToken {
			t.Errorf("the fencing tokens are %d and then %d", first.FencingToken, second.FencingToken)
		}
	})
	for _, status := range []app.Status{app.Completed, app.Failed, app.Cancelled, app.Created} {
		t.Run("Finish ends the attempt as "+status.String(), func(t *testing.T) {
			t.Parallel()
			f := open(t, subject)
			want := f.in(app.Started)
			f.clock.Advance(time.Second)
			got := f.finish(want, app.Outcome{Status: status, Error: "A sentence."})
			want.Status, want.Version, want.Error, want.UpdatedAt = status, 3, "A sentence.", f.clock.Now()
			if status.Final() {
				want.FinishedAt = f.clock.Now()
			}
			f.is(got, want)
			f.all() // checks the counts
		})
	}
	t.Run("Requeue undoes the attempt", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		want := f.in(app.Started)
		f.clock.Advance(time.Second)
		f.ok(f.store.Requeue(ctx, want))
		want.Status, want.Version, want.Attempt, want.UpdatedAt = app.Created, 3, 0, f.clock.Now()
		f.is(f.get(want.ID), want)
		if got := f.waiting(10); len(got) != 1 {
			t.Errorf("%d runs are due", len(got))
		}
		f.all()
	})
	t.Run("one of many concurrent starts succeeds", func(t *testing.T) { startsOnce(t, open(t, subject)) })
}

func startsOnce(t *testing.T, f fixture) {
	t.Parallel()
	run := f.create(1)[0]
	var group sync.WaitGroup
	var wins, losses atomic.Int64
	for range 30 {
		group.Go(func() {
			switch _, err := f.store.Start(ctx, run); app.CodeOf(err) {
			case "":
				wins.Add(1)
			case app.CodeConflict:
				losses.Add(1)
			}
		})
	}
	group.Wait()
	if got := f.get(run.ID); wins.Load() != 1 || losses.Load() != 29 || got.Version != 2 {
		t.Errorf("%d starts succeeded and %d failed, the version is %d", wins.Load(), losses.Load(),
			got.Version)
	}
}

// testRefusedTransitions tries changes that the status of a run does not allow.
func testRefusedTransitions(t *testing.T, subject Subject) {
	for _, status := range app.Statuses() {
		t.Run("of a run that is "+status.String(), func(t *testing.T) {
			t.Parallel()
			f := open(t, subject)
			run := f.in(status)
			if status != app.Created {
				f.refuses(func() error { _, err := f.store.Start(ctx, run); return err })
			}
			if status != app.Started {
				f.refusesReports(run)
			}
		})
	}
	t.Run("of a run that does not exist", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		run := f.in(app.Started)
		run.ID++
		f.refuses(func() error { _, err := f.store.Start(ctx, run); return err })
		f.refusesReports(run)
	})
	t.Run("by a worker that lost the run", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		stale := f.in(app.Started)
		f.ok(f.store.Requeue(ctx, stale))
		f.refusesReports(stale)
		f.start(stale)
		f.refusesReports(stale)
	})
	t.Run("to a status that Finish does not allow", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		run := f.in(app.Started)
		for _, status := range []app.Status{app.Started, -1, app.StatusCount} {
			f.changesNothing(func() {
				if err := f.store.Finish(ctx, run, app.Outcome{Status: status}); err == nil {
					t.Errorf("a run was finished as %s", status)
				}
			})
		}
	})
}

// refuses fails unless act ends with CodeConflict, changes nothing and notifies no subscriber.
func (f fixture) refuses(act func() error) {
	f.Helper()
	notified, stop := f.store.Changed().Subscribe()
	defer stop()
	f.changesNothing(func() { f.refused(act(), app.CodeConflict) })
	select {
	case <-notified:
		f.Fatalf("subscribers were notified although nothing changed")
	default:
	}
}

func (f fixture) refusesReports(run app.ProcessRun) {
	f.Helper()
	f.refuses(func() error { return f.store.Requeue(ctx, run) })
	// Stores may have a fast path for completions without an error.
	f.refuses(func() error { return f.store.Finish(ctx, run, app.Outcome{Status: app.Completed}) })
	for _, status := range []app.Status{app.Completed, app.Failed, app.Cancelled, app.Created} {
		f.refuses(func() error {
			return f.store.Finish(ctx, run, app.Outcome{Status: status, Error: "Late."})
		})
	}
}

func testErrorTexts(t *testing.T, subject Subject) {
	f := open(t, subject)
	long := strings.Repeat("ü", app.MaxError) // two bytes each
	for name, c := range map[string]struct{ given, kept string }{
		"keeps a sentence": {"It's <b>not</b> good: 100 % 🙁",
			"It's <b>not</b> good: 100 % 🙁"},
		"keeps lines and tabs":           {"one\n\ttwo", "one\n\ttwo"},
		"removes control characters":     {"a\x00b\x1b[31mc\rd\x7fe\u009bf", "ab[31mcdef"},
		"replaces invalid UTF-8":         {"a\xff\xfeb", "a\uFFFDb"},
		"keeps the longest allowed text": {long[:app.MaxError], long[:app.MaxError]},
		"cuts a longer text":             {long, long[:app.MaxError]},
		"cuts between characters":        {"x" + long, "x" + long[:app.MaxError-2]},
		"cuts after replacing invalid UTF-8": {strings.Repeat("a\xff", app.MaxError),
			strings.Repeat("a\uFFFD", app.MaxError/4)},
		"does not count control characters": {strings.Repeat("\x00", app.MaxError) + "text", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.inside(t)
			for _, status := range []app.Status{app.Failed, app.Cancelled, app.Created} {
				run := f.finish(f.in(app.Started), app.Outcome{Status: status, Error: c.given})
				if run.Error != c.kept || len(run.Error) > app.MaxError || !utf8.ValidString(run.Error) {
					t.Errorf("%q is kept as %q, %d bytes", c.given, run.Error, len(run.Error))
				}
			}
		})
	}
}
