package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

// finish starts a run, writes one line to its log, and ends it with status.
func finish(t *testing.T, store *Store, run app.ProcessRun, status app.Status) {
	t.Helper()
	started, err := store.Start(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SaveProgress(ctx, started,
		app.ProgressUpdate{Lines: []app.LogLine{{Text: fmt.Sprintf("needle %d\n", run.ID)}}}); err != nil {
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

// rowsIn returns the number of rows of a table.
func rowsIn(t *testing.T, store *Store, table string) (n int) {
	t.Helper()
	if err := store.readers[app.ForPages].GetContext(ctx, &n, "SELECT COUNT(*) FROM "+table); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPrune_DeletesOldFinishedRuns(t *testing.T) {
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
	if n, err := store.Prune(ctx); n != 0 || err != nil {
		t.Errorf("%d young runs are pruned: %v", n, err)
	}
	clock.advance(31 * time.Minute)
	if n, err := store.Prune(ctx); n != 885 || err != nil {
		t.Errorf("%d runs are pruned: %v", n, err)
	}
	page, err := store.Page(ctx, app.Query{})
	if err != nil || page.Counts != (app.Counts{app.Created: 10, app.Started: 5, app.Failed: 1}) ||
		len(page.Runs) != 16 {
		t.Errorf("the remaining counts are %v: %v", page.Counts, err)
	}
	if events, logs := rowsIn(t, store, "run_events"), rowsIn(t, store, "run_logs"); events != 5+2 ||
		logs != 1 {
		t.Errorf("there are left %d events and %d parts of logs", events, logs)
	}
	if found, err := store.Page(ctx,
		app.Query{Filter: app.Filter{Text: "needle"}}); store.options.searchable && (err != nil ||
		len(found.Runs) != 1 || found.Runs[0].ID != young.ID) {
		t.Errorf("the search finds %v: %v", found.Runs, err)
	}
	if _, err := store.Run(ctx, 1); app.CodeOf(err) != app.CodeNotFound {
		t.Errorf("the first run: %v", err)
	}
}

// Prune must find old runs behind any number of runs that were created earlier and finished later.
func TestPrune_FindsOldRunsBehindRetriedOnes(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{KeepFinished: time.Hour, Now: clock.now})
	runs := append(create(t, store, 1000), create(t, store, 20)...)
	again, old := runs[:1000+10], runs[1000+10:]
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
	if n, err := store.Prune(ctx); n != len(old) || err != nil {
		t.Errorf("%d of %d runs are pruned: %v", n, len(old), err)
	}
	clock.advance(30 * time.Minute)
	if n, err := store.Prune(ctx); n != len(again) || err != nil {
		t.Errorf("later %d of %d runs are pruned: %v", n, len(again), err)
	}
}

func TestPrune_DeletesOldestAboveLimit(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 100})
	waiting := create(t, store, 1)[0]
	runs := create(t, store, 700)
	for i, run := range runs {
		finish(t, store, run, []app.Status{app.Completed, app.Failed}[i%2])
	}
	if n, err := store.Prune(ctx); n != 600 || err != nil {
		t.Errorf("%d runs are pruned: %v", n, err)
	}
	left, _, err := store.Runs(ctx, app.Filter{}, 1<<60, 1000)
	if err != nil || len(left) != 101 || left[99].ID != runs[600].ID || left[100].ID != waiting.ID {
		t.Errorf("there are left %d, of which the last two are %+v: %v", len(left),
			left[max(0, len(left)-2):], err)
	}
}

func TestPrune_KeepsRetriedRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 1})
	run := create(t, store, 1)[0]
	finish(t, store, run, app.Failed)
	if _, err := store.Retry(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	if n, left, err := store.drop(ctx, []int64{run.ID}); n != 0 || len(left) != 0 || err != nil {
		t.Errorf("%d are dropped, and %d left: %v", n, len(left), err)
	}
}

func TestPrune_KeepsAllWithoutLimit(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{Now: clock.now})
	finish(t, store, create(t, store, 1)[0], app.Completed)
	clock.advance(1e6 * time.Hour)
	if n, err := store.Prune(ctx); n != 0 || err != nil {
		t.Errorf("%d runs are pruned: %v", n, err)
	}
}

func TestPrune_EndsWithContext(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 1})
	for _, run := range create(t, store, 3) {
		finish(t, store, run, app.Completed)
	}
	pruning, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Maintain(pruning)
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
		t.Fatal("Prune does not return")
	}
}

// finishWithLog completes a run with a log of the given number of parts.
func finishWithLog(t testing.TB, store *Store, run app.ProcessRun, parts int) {
	t.Helper()
	started := start(t, store, run)
	for part := range parts {
		var lines []app.LogLine
		for line := range 20 { // together slightly less than one part
			lines = append(lines, app.LogLine{Text: strings.Repeat(fmt.Sprintf("needle %d of %d ", line,
				part), 16<<10/20/20) + "\n"})
		}
		if err := store.SaveProgress(ctx, started, app.ProgressUpdate{Lines: lines}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Finish(ctx, started, app.Outcome{Status: app.Completed}); err != nil {
		t.Fatal(err)
	}
}

// A long log would block all other writes, so it is deleted in several transactions; the last one deletes its
// run.
func TestPrune_DeletesLongLogInParts(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{LogLimit: 1 << 20})
	drop := func(run int64, until time.Duration) (found, partial bool) {
		t.Helper()
		if err := store.writer.do(ctx, func(tx *transaction) (err error) {
			found, partial, err = tx.drop(run, time.Now().Add(until))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return found, partial
	}
	runs := create(t, store, 3)
	for _, run := range runs {
		finishWithLog(t, store, run, 5*dropBatch)
	}
	whole := rowsIn(t, store, "run_logs")
	if found, partial := drop(runs[0].ID, -1); found || !partial {
		t.Errorf("without time it is %v that it is dropped, and %v that there is more to do", found, partial)
	}
	if is := rowsIn(t, store, "run_logs"); is != whole {
		t.Errorf("without time %d parts are dropped", whole-is)
	}
	if found, partial := drop(runs[0].ID, time.Hour); !found || partial {
		t.Errorf("with time it is %v that it is dropped, and %v that there is more to do", found, partial)
	}
	if err := store.Delete(ctx, runs[1].ID); err != nil {
		t.Error(err)
	}
	for left := []int64{runs[2].ID}; len(left) > 0; {
		var err error
		if _, left, err = store.drop(ctx, left); err != nil {
			t.Fatal(err)
		}
	}
	if is := rowsIn(t, store, "run_logs") + rowsIn(t, store, "process_runs"); is != 0 {
		t.Errorf("there are left %d runs and parts of logs", is)
	}
	if page, err := store.Page(ctx,
		app.Query{Filter: app.Filter{Text: "needle"}}); store.options.searchable && (err != nil ||
		len(page.Runs) > 0) {
		t.Errorf("the search finds %v: %v", page.Runs, err)
	}
}

// BenchmarkPrune measures how long the deletion of runs with logs of 1 MiB blocks other writes.
func BenchmarkPrune(b *testing.B) {
	store := newStore(b, Options{Synchronous: "full"})
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		var left []int64
		for _, run := range create(b, store, 20) {
			finishWithLog(b, store, run, 64)
			left = append(left, run.ID)
		}
		b.StartTimer()
		for len(left) > 0 {
			began := time.Now()
			var err error
			if _, left, err = store.drop(ctx, left); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "longest-ms")
}
