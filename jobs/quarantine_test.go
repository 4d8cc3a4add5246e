package jobs_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// openAfterCrashes returns a store with one run for each element of crashes, which is the number of crashes
// that interrupted the run. Closing the store while a run is started leaves the run started, as a crash does.
func openAfterCrashes(t *testing.T, kind string, crashes ...int) *sqlite.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runs.db")
	store := openAt(t, path, time.Now)
	first := create(t, store, kind, len(crashes))
	for left := true; left; {
		left = false
		for i := range crashes {
			if crashes[i] == 0 {
				continue
			}
			crashes[i]--
			left = true
			if _, err := store.Start(t.Context(), app.ProcessRun{ID: first + int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		store = openAt(t, path, time.Now)
	}
	return store
}

// The oldest runs are quarantined, then come runs that one crash interrupted, then new ones.
func TestQuarantine_HasOneWorker(t *testing.T) {
	t.Parallel()
	const workers = 6
	crashes := slices.Concat(slices.Repeat([]int{maxCrashes - 1}, 4), slices.Repeat([]int{1}, 4),
		make([]int, 10))
	store, total := openAfterCrashes(t, "report", crashes...), len(crashes)
	var quarantined gauge
	work := newGated()
	queue := newQueue(store, jobs.Kind{Name: "report", Work: func(ctx context.Context, run *jobs.Run) error {
		if run.Row().Quarantined(maxCrashes) {
			quarantined.up()
			defer quarantined.down()
		}
		return work.work(ctx, run)
	}})
	queue.Workers = workers
	start(t, queue)
	for range workers { // younger runs pass the quarantined ones, and all workers are busy
		receive(t, work.working, "the work")
	}
	close(work.gate)
	waitForCount(t, store, total, app.Completed)
	if n := quarantined.highest(); n != 1 {
		t.Errorf("%d quarantined runs were executed at once, want 1", n)
	}
}

func TestQuarantine_LeavesOtherInterruptedRuns(t *testing.T) {
	t.Parallel()
	store, work := openAfterCrashes(t, "report", 1, 1, 1, 1), newGated()
	queue := newQueue(store, work.kind("report"))
	queue.Workers = 4
	start(t, queue)
	for range queue.Workers { // all restart at once
		receive(t, work.working, "the work")
	}
	close(work.gate)
	waitForCount(t, store, 4, app.Completed)
}

// There are more quarantined runs than the queue prefetches.
func TestQuarantine_DoesNotHideOtherRuns(t *testing.T) {
	t.Parallel()
	const workers, quarantined = 2, 50
	crashes := append(slices.Repeat([]int{maxCrashes - 1}, quarantined), 0)
	store, work := openAfterCrashes(t, "report", crashes...), newGated()
	queue := newQueue(store, work.kind("report"))
	queue.Workers = workers
	start(t, queue)
	for range workers {
		receive(t, work.working, "the work")
	}
	if run := read(t, store, quarantined+1); run.Status != app.Started {
		t.Errorf("the run behind the quarantined ones is %s", run.Status)
	}
	close(work.gate)
	waitForCount(t, store, len(crashes), app.Completed)
}

// After each crash, the server starts again and counts it.
func TestQuarantine_PoisonousRunFailsAlone(t *testing.T) {
	t.Parallel()
	store := openAfterCrashes(t, "report", maxCrashes, maxCrashes-1, 0)
	if run := read(t, store, 1); run.Status != app.Failed || run.Crashes != maxCrashes || run.Attempt == 0 {
		t.Errorf("the poisonous run is %+v", run)
	}
	var done journal[int64]
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		done.add(run.ID)
		return nil
	}}))
	waitForCount(t, store, 2, app.Completed)
	if got := done.all(); len(got) != 2 || slices.Contains(got, 1) {
		t.Errorf("the runs %v were executed, want 2 and 3", got)
	}
}
