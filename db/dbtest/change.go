package dbtest

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"runboard/app"
)

func testWaiting(t *testing.T, subject Subject) {
	t.Run("returns the oldest created runs first, no more than asked for", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.mixed(app.StatusCount * 4)
		var created []app.ProcessRun
		for _, run := range slices.Backward(f.all()) {
			if run.Status == app.Created {
				created = append(created, run)
			}
		}
		for limit := range len(created) + 2 {
			if got := f.waiting(limit); !slices.Equal(got, created[:min(limit, len(created))]) {
				t.Errorf("of %v, the first %d are %v", ids(created), limit, ids(got))
			}
		}
	})
	t.Run("returns only runs of the kinds that are asked for, the oldest of all these", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for i := range 12 {
			_, err := f.store.Create(ctx, app.NewRuns{Kind: []string{"a", "b", "c"}[i%3], Count: 2})
			f.ok(err)
		}
		for want, kinds := range map[string][]string{"aacca": {"c", "a"}, "bbbbb": {"b", "unknown"}, "": {}} {
			runs, err := f.store.Waiting(ctx, kinds, 5)
			f.ok(err)
			got := ""
			for _, run := range runs {
				got += run.Kind
			}
			if got != want || !slices.IsSorted(ids(runs)) {
				t.Errorf("of %v, %v wait: %s", kinds, ids(runs), got)
			}
		}
	})
	t.Run("leaves out a run that is to be tried later until it is due", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		due := f.clock.Now().Add(time.Minute)
		run := f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more.", RetryAt: due})
		if !run.DueAt.Equal(due) || len(f.waiting(10)) != 0 {
			t.Errorf("due at %v, it waits at %v: %+v", due, f.clock.Now(), run)
		}
		f.clock.Advance(time.Minute - time.Millisecond)
		if n := len(f.waiting(10)); n != 0 {
			t.Errorf("%d runs wait a millisecond too early", n)
		}
		f.clock.Advance(time.Millisecond)
		if got := f.waiting(10); len(got) != 1 || got[0] != run {
			t.Errorf("when it is due, %+v wait", got)
		}
	})
}

func testChanges(t *testing.T, subject Subject) {
	t.Run("Start renews the claim, clears what was left of the last attempt and counts another", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first := f.in(app.Started)
		retried := f.finish(first, app.Outcome{Status: app.Created, Error: "Once more.", RetryAt: f.clock.Now().Add(time.Minute)})
		f.clock.Advance(time.Hour)
		second := f.start(retried)
		want := retried
		want.Status, want.Version, want.Attempt, want.Error = app.Started, 4, 2, ""
		want.StartedAt, want.UpdatedAt, want.DueAt = f.clock.Now(), f.clock.Now(), time.Time{}
		f.is(second, want)
		if f.get(second.ID) != second || second.Claim <= first.Claim {
			t.Errorf("the claims are %d and then %d", first.Claim, second.Claim)
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
			f.all() // the counts hold
		})
	}
	t.Run("GiveBack makes the attempt undone", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		want := f.in(app.Started)
		f.clock.Advance(time.Second)
		f.ok(f.store.GiveBack(ctx, want))
		want.Status, want.Version, want.Attempt, want.UpdatedAt = app.Created, 3, 0, f.clock.Now()
		f.is(f.get(want.ID), want)
		if got := f.waiting(10); len(got) != 1 {
			t.Errorf("%d runs wait", len(got))
		}
		f.all()
	})
	t.Run("many are started and completed together, but for those that cannot be", func(t *testing.T) { changesMany(t, open(t, subject)) })
	t.Run("only one of many that start a run at once gets it", func(t *testing.T) { startsOnce(t, open(t, subject)) })
}

func changesMany(t *testing.T, f fixture) {
	t.Parallel()
	f.create(2 * app.MaxEvents)
	cancelled, tried := f.waiting(1)[0], f.finish(f.start(f.waiting(2)[1]), app.Outcome{Status: app.Created, Error: "Once more."})
	runs := append(f.waiting(1000), app.ProcessRun{ID: 1e6})
	_, err := f.store.Cancel(ctx, cancelled.ID)
	f.ok(err)
	f.clock.Advance(time.Second)
	started, err := f.store.StartAll(ctx, runs)
	f.ok(err)
	if len(started) != 2*app.MaxEvents-1 || len(f.waiting(1)) > 0 {
		t.Fatalf("%d of %d are started, and %d wait", len(started), len(runs), len(f.waiting(1)))
	}
	for _, run := range started {
		if got := f.get(run.ID); got != run || got.Error != "" || run.ID == tried.ID && run.Attempt != 2 {
			t.Errorf("it is told to be\n%+v and is\n%+v", run, got)
		}
	}
	asked, err := f.store.Cancel(ctx, started[5].ID)
	f.ok(err)
	f.ok(f.store.GiveBack(ctx, started[6]))
	f.clock.Advance(time.Second)
	late, err := f.store.CompleteAll(ctx, started)
	f.ok(err)
	if len(late) != 1 || late[0] != started[6] {
		t.Errorf("late are %+v", late)
	}
	if got := count(f.all()); got != (app.Counts{app.Created: 1, app.Completed: 2*app.MaxEvents - 3, app.Cancelled: 2}) {
		t.Errorf("in the end there are %v", got)
	}
	f.checkEvents(asked.ID, app.Started, app.Started, app.Cancelled)
	f.checkEvents(started[7].ID, app.Started, app.Completed)
	f.checkEvents(tried.ID, app.Started, app.Created, app.Started, app.Completed)
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
		t.Errorf("%d won and %d lost, the version is %d", wins.Load(), losses.Load(), got.Version)
	}
}

// testRefusals tries what does not fit where the run is.
func testRefusals(t *testing.T, subject Subject) {
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
	t.Run("by whoever had the run before", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		stale := f.in(app.Started)
		f.ok(f.store.GiveBack(ctx, stale))
		f.refusesReports(stale)
		f.start(stale)
		f.refusesReports(stale)
	})
	t.Run("to a status that Finish cannot bring about", func(t *testing.T) {
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

// refuses fails unless act ends in a conflict and changes nothing.
func (f fixture) refuses(act func() error) {
	f.Helper()
	rings, stop := f.store.Changes().Listen()
	defer stop()
	f.changesNothing(func() { f.refused(act(), app.CodeConflict) })
	select {
	case <-rings:
		f.Fatalf("the bell rang although nothing changed")
	default:
	}
}

func (f fixture) refusesReports(run app.ProcessRun) {
	f.Helper()
	f.refuses(func() error { return f.store.GiveBack(ctx, run) })
	for _, status := range []app.Status{app.Completed, app.Failed, app.Cancelled, app.Created} {
		f.refuses(func() error { return f.store.Finish(ctx, run, app.Outcome{Status: status, Error: "Late."}) })
	}
}

func testErrorTexts(t *testing.T, subject Subject) {
	f := open(t, subject)
	long := strings.Repeat("ü", app.MaxError) // two bytes each
	for name, c := range map[string]struct{ given, kept string }{
		"a sentence is kept":                      {"It's <b>not</b> good: 100 % 🙁", "It's <b>not</b> good: 100 % 🙁"},
		"lines and tabs are kept":                 {"one\n\ttwo", "one\n\ttwo"},
		"control characters go":                   {"a\x00b\x1b[31mc\rd\x7fe\u009bf", "ab[31mcdef"},
		"bytes that are no text are replaced":     {"a\xff\xfeb", "a\uFFFDb"},
		"exactly so much is kept":                 {long[:app.MaxError], long[:app.MaxError]},
		"more is cut":                             {long, long[:app.MaxError]},
		"a character is not cut in two":           {"x" + long, "x" + long[:app.MaxError-2]},
		"what grows when it is replaced is cut":   {strings.Repeat("a\xff", app.MaxError), strings.Repeat("a\uFFFD", app.MaxError/4)},
		"control characters do not count as text": {strings.Repeat("\x00", app.MaxError) + "text", "text"},
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
