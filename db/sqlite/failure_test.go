package sqlite

import (
	"fmt"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// failWith creates a run that fails with the error text.
func failWith(t *testing.T, store *Store, text string) app.ProcessRun {
	t.Helper()
	run := start(t, store, create(t, store, 1)[0])
	if err := store.Finish(ctx, run, app.Outcome{Status: app.Failed, Error: text}); err != nil {
		t.Fatal(err)
	}
	return get(t, store, run.ID)
}

func failures(t *testing.T, store *Store) app.Failures {
	t.Helper()
	all, err := store.Failures(ctx, app.MostRuns)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// addGroups adds failure groups that failed last at a time and have so many runs each.
func addGroups(t *testing.T, store *Store, groups, runs int, lastAt time.Time) {
	t.Helper()
	change(t, store.options.Path, fmt.Sprintf(`WITH RECURSIVE n (i) AS
			(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO failures (kind, pattern, example, first_at, last_at, n)
			SELECT 'x', 'error ' || i, '', 1, %d, %d FROM n`, groups, lastAt.UnixMilli(), runs))
}

func TestFailures_ShareOneGroupAboveLimit(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	known := failWith(t, store, "known")
	addGroups(t, store, query.MaxFailureGroups-1, 1, time.Now())
	if run := failWith(t, store, "known"); run.Failure != known.Failure {
		t.Errorf("what is known is %d and was %d", run.Failure, known.Failure)
	}
	a, b := failWith(t, store, "something new"), failWith(t, store, "something else")
	if a.Failure == 0 || a.Failure != b.Failure {
		t.Errorf("what is new is %d and %d", a.Failure, b.Failure)
	}
	page, err := store.Page(ctx, app.Query{Filter: app.Filter{Failure: a.Failure}})
	if err != nil || page.Failure.Pattern != query.OtherErrors || len(page.Runs) != 2 {
		t.Errorf("they are %+v: %v", page.Failure, err)
	}
	// The number of groups is below the maximum again.
	change(t, store.options.Path, "DELETE FROM failures WHERE pattern IN ('error 17', 'error 18')")
	if run := failWith(t, store, "something new"); run.Failure == a.Failure {
		t.Error("although there is room it goes with the others")
	}
}

func TestFailures_WithoutRunsArePruned(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{Now: clock.now})
	gone, kept := failWith(t, store, "gone"), failWith(t, store, "kept")
	if err := store.Delete(ctx, gone.ID); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	for _, step := range []struct {
		later                  time.Duration
		failures, hours, shown int
	}{
		{0, 2, 2, 1}, {23 * time.Hour, 2, 2, 1}, {2 * time.Hour, 2, 0, 1},
		{88 * day, 2, 0, 1}, {day, 1, 0, 1},
	} {
		clock.advance(step.later)
		if err := store.pruneFailures(ctx); err != nil {
			t.Fatal(err)
		}
		n, m := rowsIn(t, store, "failures"), rowsIn(t, store, "failure_hours")
		shown := len(failures(t, store).Failures)
		if n != step.failures || m != step.hours || shown != step.shown {
			t.Errorf("%v later there are %d with %d hours, of which %d are shown", step.later, n, m, shown)
		}
	}
	if again := failWith(t, store, "kept"); again.Failure != kept.Failure {
		t.Errorf("it was %d and is %d", kept.Failure, again.Failure)
	}
}

func TestFailures_KeepNotesAndMutes(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{Now: clock.now})
	noted, muted := failWith(t, store, "noted"), failWith(t, store, "muted")
	until := clock.now().Add(200 * 24 * time.Hour)
	if _, err := store.AnnotateFailure(ctx, noted.Failure, "INC-42"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.MuteFailure(ctx, muted.Failure, until); err != nil {
		t.Fatal(err)
	}
	for _, run := range []app.ProcessRun{noted, muted} {
		if err := store.Delete(ctx, run.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 1} { // the mute ends, the note does not
		clock.advance(199 * 24 * time.Hour)
		if err := store.pruneFailures(ctx); err != nil {
			t.Fatal(err)
		}
		if n := rowsIn(t, store, "failures"); n != want {
			t.Errorf("%d groups are kept, want %d", n, want)
		}
	}
}

// Many groups without runs must not fill the table, or new errors would share a group.
func TestFailures_WithoutRunsMakeRoom(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{Now: clock.now})
	const groups = query.MaxFailureGroups - 1
	addGroups(t, store, groups, 0, clock.now())
	for _, want := range []int{groups, 0} {
		if err := store.pruneFailures(ctx); err != nil {
			t.Fatal(err)
		}
		if n := rowsIn(t, store, "failures"); n != want {
			t.Errorf("%d groups are kept, want %d", n, want)
		}
		clock.advance(24*time.Hour + time.Millisecond)
	}
}

func BenchmarkFail(b *testing.B) {
	for name, outcome := range map[string]app.Outcome{
		"completed": {Status: app.Completed}, "failed": {Status: app.Failed,
			Error: "exit status 1\nno customer 42"},
	} {
		b.Run(name, func(b *testing.B) {
			store := newStore(b, Options{Synchronous: "normal"})
			for b.Loop() {
				run := start(b, store, create(b, store, 1)[0])
				if err := store.Finish(ctx, run, outcome); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
