package db

import (
	"context"
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

// finish does a run that writes a line and ends with a status.
func finish(t *testing.T, store *Store, run app.ProcessRun, status app.Status) {
	t.Helper()
	started, err := store.Start(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Report(ctx, started, app.Report{Lines: []app.LogLine{{Text: fmt.Sprintf("needle %d\n", run.ID)}}}); err != nil {
		t.Fatal(err)
	}
	outcome := app.Outcome{Status: status}
	if status == app.Failed {
		outcome.Error = "needle"
	}
	if err := store.Finish(ctx, started, outcome); err != nil {
		t.Fatal(err)
	}
}

// rows is how many rows a table has.
func rows(t *testing.T, store *Store, table string) (n int) {
	t.Helper()
	if err := store.reader.GetContext(ctx, &n, "SELECT COUNT(*) FROM "+table); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFinishedRunsAreDroppedWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{KeepFinished: time.Hour, Now: clock.now})
	statuses := []app.Status{app.Completed, app.Failed, app.Completed, app.Failed}
	for i, run := range create(t, store, 900) {
		if i < 880 {
			finish(t, store, run, statuses[i%4])
		} else if i < 885 {
			if _, err := store.Start(ctx, run); err != nil {
				t.Fatal(err)
			}
		} else if i < 890 {
			if _, err := store.Cancel(ctx, run.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	young := create(t, store, 1)[0]
	clock.advance(30 * time.Minute)
	finish(t, store, young, app.Failed)
	if n, err := store.pruneAll(ctx); n != 0 || err != nil {
		t.Errorf("before their time %d are dropped: %v", n, err)
	}
	clock.advance(31 * time.Minute)
	if n, err := store.pruneAll(ctx); n != 885 || err != nil {
		t.Errorf("%d are dropped: %v", n, err)
	}
	page, err := store.Page(ctx, app.Query{})
	if err != nil || page.Counts != (app.Counts{app.Created: 10, app.Started: 5, app.Failed: 1}) || len(page.Runs) != 16 {
		t.Errorf("there are left %v: %v", page.Counts, err)
	}
	if events, logs := rows(t, store, "run_events"), rows(t, store, "run_logs"); events != 5+2 || logs != 1 {
		t.Errorf("there are left %d events and %d parts of logs", events, logs)
	}
	if found, err := store.Page(ctx, app.Query{Filter: app.Filter{Text: "needle"}}); store.options.searchable && (err != nil || len(found.Runs) != 1 || found.Runs[0].ID != young.ID) {
		t.Errorf("a search finds %v: %v", found.Runs, err)
	}
	if _, err := store.Run(ctx, 1); app.CodeOf(err) != app.CodeNotFound {
		t.Errorf("the first run: %v", err)
	}
}

// Old runs are found behind any number of others that were created before them, and ended after them.
func TestOldRunsDoNotHideBehindThoseThatWereTriedAgain(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{KeepFinished: time.Hour, Now: clock.now})
	runs := append(create(t, store, 2*pruneLook), create(t, store, 20)...)
	again, old := runs[:2*pruneLook+10], runs[2*pruneLook+10:]
	for _, run := range runs {
		if _, err := store.Cancel(ctx, run.ID); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(30 * time.Minute)
	for _, run := range again {
		if _, err := store.Retry(ctx, run.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Cancel(ctx, run.ID); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(31 * time.Minute)
	if n, err := store.pruneAll(ctx); n != len(old) || err != nil {
		t.Errorf("%d of %d are dropped: %v", n, len(old), err)
	}
	clock.advance(30 * time.Minute)
	if n, err := store.pruneAll(ctx); n != len(again) || err != nil {
		t.Errorf("later %d of %d are dropped: %v", n, len(again), err)
	}
}

func TestOfTooManyFinishedRunsTheOldestAreDropped(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 100})
	waiting := create(t, store, 1)[0]
	runs := create(t, store, 700)
	for i, run := range runs {
		finish(t, store, run, finished[i%2])
	}
	if n, err := store.pruneAll(ctx); n != 600 || err != nil {
		t.Errorf("%d are dropped: %v", n, err)
	}
	left, _, err := store.Runs(ctx, app.Filter{}, 1<<60, 1000)
	if err != nil || len(left) != 101 || left[99].ID != runs[600].ID || left[100].ID != waiting.ID {
		t.Errorf("there are left %d, of which the last two are %+v: %v", len(left), left[max(0, len(left)-2):], err)
	}
}

func TestARunThatIsTriedAgainMeanwhileIsNotDropped(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 1})
	run := create(t, store, 1)[0]
	finish(t, store, run, app.Failed)
	if _, err := store.Retry(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := store.drop(ctx, []int64{run.ID}); n != 0 || err != nil {
		t.Errorf("%d are dropped: %v", n, err)
	}
}

func TestNothingIsDroppedWithoutALimit(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{Now: clock.now})
	finish(t, store, create(t, store, 1)[0], app.Completed)
	clock.advance(1e6 * time.Hour)
	if n, err := store.pruneAll(ctx); n != 0 || err != nil {
		t.Errorf("%d are dropped: %v", n, err)
	}
}

func TestPruningEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 1})
	for _, run := range create(t, store, 3) {
		finish(t, store, run, app.Completed)
	}
	pruning, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Prune(pruning)
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if page, err := store.Page(ctx, app.Query{}); err == nil && page.Counts[app.Completed] == 1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("there are %v: %v", page.Counts, err)
		}
	}
	stop()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
}

func TestGroupsGrowAndShrinkWithTheTimeTheyTake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size int
		took time.Duration
		want int
	}{{10, time.Millisecond, 20}, {10, time.Second, 5}, {1, time.Second, 1}, {pruneLook, 0, pruneLook}, {300, 0, pruneLook}} {
		if got := nextSize(c.size, c.took); got != c.want {
			t.Errorf("after %d in %s come %d and not %d", c.size, c.took, got, c.want)
		}
	}
}
