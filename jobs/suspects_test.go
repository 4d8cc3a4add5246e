package jobs_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

func TestOnlyAFewSuspectsAreInWorkAtOnceAndOthersPassThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		workers, suspects int // number of quarantined runs that may run at once
	}{
		"one of three workers":  {3, 1},
		"one of five workers":   {5, 1},
		"two of twelve workers": {12, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The four oldest runs are quarantined; the others have not been interrupted.
			crashes := append([]int{1, 1, 1, 1}, make([]int, 30)...)
			store, total := openAfterCrashes(t, "report", crashes...), len(crashes)
			var suspects gauge
			work := newGated()
			queue := newQueue(store, jobs.Kind{Name: "report", Work: func(ctx context.Context, run *jobs.Run) error {
				if run.Row().Interrupted() {
					suspects.up()
					defer suspects.down()
				}
				return work.work(ctx, run)
			}})
			queue.Workers = test.workers
			start(t, queue)
			for range test.workers { // all workers are busy, with other runs where quarantined ones may not start
				waitGrace(t, work.working, "the work")
			}
			if n := suspects.highest(); n != test.suspects {
				t.Errorf("%d suspects are in work with %d workers, want %d", n, test.workers, test.suspects)
			}
			close(work.gate)
			haveBecome(t, store, total, app.Completed)
			if n := suspects.highest(); n > test.suspects {
				t.Errorf("%d suspects were in work at once, want at most %d", n, test.suspects)
			}
		})
	}
}

// The next crash would fail the second run, so no other run may cause that crash.
func TestARunWithItsLastChanceGoesAlone(t *testing.T) {
	t.Parallel()
	const lastChance, total = 2, 12
	looks := make(chan int, 10_000)
	store := &backlog{
		Store:   openAfterCrashes(t, "report", append([]int{0, maxCrashes - 1}, make([]int, total-2)...)...),
		looking: func(limit int) error { looks <- limit; return nil },
	}
	var together gauge
	var alone atomic.Bool
	work := newGated()
	queue := newQueue(store, jobs.Kind{Name: "report", Work: func(ctx context.Context, run *jobs.Run) error {
		now := together.up()
		defer together.down()
		if run.ID != lastChance {
			if alone.Load() {
				t.Errorf("run %d has joined the one with its last chance", run.ID)
			}
			return work.work(ctx, run)
		}
		if now != 1 {
			t.Errorf("%d runs are in work beside the one with its last chance", now-1)
		}
		alone.Store(true)
		defer alone.Store(false)
		lookTwice(t, store, looks)
		return nil
	}})
	start(t, queue)
	if first := waitGrace(t, work.working, "the oldest run"); first.ID != 1 {
		t.Errorf("run %d is the first", first.ID)
	}
	lookTwice(t, store, looks)
	if n := together.highest(); n != 1 {
		t.Errorf("%d runs are in work before the one with its last chance", n)
	}
	close(work.gate)
	haveBecome(t, store.Store, total, app.Completed)
	if run := read(t, store.Store, lastChance); run.Crashes != maxCrashes-1 {
		t.Errorf("the run with its last chance was %+v", run)
	}
}

// A run of an hour is in progress when it is the turn of runs that the next crash would fail, and that
// therefore must run alone. There are more of them than one fetch reads. Neither they nor the long run
// block the other runs for long, and they run when the long run has ended.
func TestALongRunAndRunsWithTheirLastChanceStopNobodyForLong(t *testing.T) {
	t.Parallel()
	const lastChances, total = 12, 50
	crashes := make([]int, total)
	for i := range lastChances {
		crashes[1+i] = maxCrashes - 1
	}
	synctest.Test(t, func(t *testing.T) {
		store := openAfterCrashes(t, "report", crashes...)
		var together gauge
		var done journal[int64]
		queue := newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
			now := together.up()
			defer together.down()
			if run.Row().Interrupted() && now != 1 {
				t.Errorf("%d runs are in work beside one with its last chance", now-1)
			}
			time.Sleep(map[bool]time.Duration{true: time.Hour, false: time.Minute}[run.ID == 1])
			done.add(run.ID)
			return nil
		}})
		queue.RunTimeout = 2 * time.Hour
		start(t, queue)
		time.Sleep(time.Hour - time.Second)
		if n := len(done.all()); n != total-lastChances-1 {
			t.Errorf("%d of the %d others are done within the hour of the long run", n, total-lastChances-1)
		}
		time.Sleep((lastChances + 2) * time.Minute)
		if n := counts(t, store)[app.Completed]; n != total {
			t.Errorf("%d of %d runs are completed", n, total)
		}
	})
}

// The other runs take about twenty minutes each and overlap, so the workers are never idle at the
// same time by chance.
func TestARunWithItsLastChanceIsNotStarvedByOthersThatKeepComing(t *testing.T) {
	t.Parallel()
	const lastChance, total = 2, 300
	synctest.Test(t, func(t *testing.T) {
		store := openAfterCrashes(t, "report", append([]int{0, maxCrashes - 1}, make([]int, total-2)...)...)
		done := make(chan struct{})
		queue := newQueue(store, jobs.Kind{Name: "report", Work: func(ctx context.Context, run *jobs.Run) error {
			if run.ID == lastChance {
				close(done)
				return nil
			}
			select {
			case <-time.After(time.Duration(15+run.ID%11) * time.Minute):
			case <-ctx.Done():
			}
			return context.Cause(ctx)
		}})
		queue.RunTimeout, queue.DrainTimeout = time.Hour, 0
		start(t, queue)
		select {
		case <-done:
		case <-time.After(12 * time.Hour):
			t.Errorf("it has had no turn in twelve hours, in which %d others were done", counts(t, store)[app.Completed])
		}
		if counts(t, store)[app.Created] == 0 {
			t.Error("nobody waited any more, so this has tested nothing")
		}
	})
}

func TestARunWithItsLastChanceDoesNotWaitForEverForCancelledWorkThatNeverReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, deaf := openAfterCrashes(t, "report", 0, maxCrashes-1), newStubborn(t)
		queue := newQueue(store, jobs.Kind{Name: "report", Work: func(ctx context.Context, run *jobs.Run) error {
			if run.ID == 1 {
				return deaf.work(ctx, run)
			}
			return nil
		}})
		queue.RunTimeout, queue.DrainTimeout = time.Minute, 0
		start(t, queue)
		waitGrace(t, deaf.working, "the work")
		cancelRun(t, store, 1)
		time.Sleep(2 * time.Minute)
		if run := read(t, store, 2); run.Status != app.Completed {
			t.Errorf("it is %+v", run)
		}
		if run := read(t, store, 1); !run.CancelRequested() { // the work goes on, so the run is not cancelled yet
			t.Errorf("the one whose work goes on is %+v", run)
		}
	})
}

// lookTwice returns when the queue has fetched and has handled the result. The second fetch proves that
// the queue has handled the first one.
func lookTwice(t *testing.T, store *backlog, looks <-chan int) {
	t.Helper()
	for len(looks) > 0 {
		<-looks
	}
	for range 2 {
		store.Changed().Notify()
		waitGrace(t, looks, "the queue to look")
	}
}

// After each crash, the server starts again and counts it.
func TestARunThatKillsTheProcessIsFailedAfterItsCrashesAndTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	store := openAfterCrashes(t, "report", maxCrashes, 0)
	if run := read(t, store, 1); run.Status != app.Failed || run.Crashes != maxCrashes || run.Attempt == 0 {
		t.Errorf("the row is %+v", run)
	}
	var done journal[int64]
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		done.add(run.ID)
		return nil
	}}))
	becomes(t, store, 2, app.Completed)
	if got := done.all(); len(got) != 1 || got[0] != 2 {
		t.Errorf("the work of %v was done", got)
	}
}

// There are more quarantined runs than the queue prefetches.
func TestSuspects_DoNotHideTheRunsBehindThem(t *testing.T) {
	t.Parallel()
	const workers, suspects = 2, 50
	crashes := append(slices.Repeat([]int{1}, suspects), 0)
	store, work := openAfterCrashes(t, "report", crashes...), newGated()
	queue := newQueue(store, work.kind("report"))
	queue.Workers = workers
	start(t, queue)
	for range workers {
		waitGrace(t, work.working, "the work")
	}
	if run := read(t, store, suspects+1); run.Status != app.Started {
		t.Errorf("the run behind the suspects is %s", run.Status)
	}
	close(work.gate)
	haveBecome(t, store, len(crashes), app.Completed)
}
