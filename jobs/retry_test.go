package jobs_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// openWithClock opens a store whose clock the test can set forward, so that the test need not
// wait until a run is due.
func openWithClock(t *testing.T) (*sqlite.Store, *clock) {
	t.Helper()
	c := new(clock)
	return openAt(t, filepath.Join(t.TempDir(), "runs.db"), c.now), c
}

var errBroken = errors.New("the printer is on fire")

func TestRetry_EndsWithTheLastAttempt(t *testing.T) {
	t.Parallel()
	store, clock := openWithClock(t)
	clock.setForward(time.Hour) // a run is due as soon as it has been scheduled again
	var attempts journal[int]
	var outcomes journal[app.Outcome]
	seen := &hookedStore{Store: store, beforeFinish: func(_ app.ProcessRun, outcome app.Outcome) error {
		outcomes.add(outcome)
		return nil
	}}
	queue := newQueue(seen, jobs.Kind{Name: "broken", Work: func(_ context.Context, run *jobs.Run) error {
		attempts.add(run.Attempt)
		return errBroken
	}})
	queue.Executor.MaxAttempts = 3
	start(t, queue)
	run := waitForStatus(t, store, create(t, store, "broken", 1), app.Failed)
	if got := attempts.all(); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the attempts were numbered %v", got)
	}
	if run.Attempt != 3 || run.Version != 7 || run.Error != errBroken.Error() || !run.ScheduledAt.IsZero() {
		t.Errorf("in the end the row is %+v", run)
	}
	for i, outcome := range outcomes.all() {
		want := []app.Status{app.Created, app.Created, app.Failed}[i]
		if outcome.Status != want || outcome.Error != errBroken.Error() ||
			(outcome.RetryIn == 0) != want.Final() {
			t.Errorf("attempt %d ended with %+v, want %s", i+1, outcome, want)
		}
	}
}

// Between attempts, the row holds the error and the time of the next attempt. The clock of the store
// stays before that time, so the queue must skip the run, however often it fetches.
func TestRetry_WaitsUntilDue(t *testing.T) {
	t.Parallel()
	store, clock := openWithClock(t)
	clock.setForward(-time.Hour)
	fault := failing(1)
	var failedAt time.Time
	const pause = time.Minute // longer than the other runs take on a busy machine
	queue := newQueue(store, jobs.Kind{Name: "quick", Work: nothing},
		jobs.Kind{Name: "shaky", Work: func(context.Context, *jobs.Run) error {
			if fault() == nil {
				return nil
			}
			// by the clock of the store, which schedules the next attempt
			failedAt = time.Now().Add(-time.Hour)
			return jobs.RetryAfter(pause, errBroken)
		}})
	queue.Executor.MaxAttempts = 2
	id := create(t, store, "shaky", 1)
	start(t, queue)
	var run app.ProcessRun
	waitUntil(t, store, "the first attempt to end",
		func() bool { run = read(t, store, id); return run.Version == 3 })
	if run.Status != app.Created || run.Attempt != 1 || run.Error != errBroken.Error() ||
		!run.FinishedAt.IsZero() {
		t.Errorf("between attempts the row is %+v", run)
	}
	if wait := run.ScheduledAt.Sub(failedAt); wait < pause-time.Millisecond ||
		run.ScheduledAt.After(time.Now().Add(pause-time.Hour)) {
		t.Errorf("it is due %s after it failed", wait)
	}
	for range 5 { // each needs a fetch, which must skip the older run
		waitForStatus(t, store, create(t, store, "quick", 1), app.Completed)
	}
	if again := read(t, store, id); again != run {
		t.Errorf("before it is due the row has become %+v", again)
	}
	clock.setForward(2 * time.Hour)
	if run = waitForStatus(t, store, id, app.Completed); run.Attempt != 2 || run.Error != "" ||
		!run.ScheduledAt.IsZero() {
		t.Errorf("in the end the row is %+v", run)
	}
}

func TestRetry_CountsTimeouts(t *testing.T) {
	t.Parallel()
	store, clock := openWithClock(t)
	clock.setForward(time.Hour)
	work := newGated()
	queue := newQueue(store, work.kind("slow"))
	queue.Executor.MaxAttempts, queue.Executor.RunTimeout = 2, 50*time.Millisecond
	start(t, queue)
	run := waitForStatus(t, store, create(t, store, "slow", 1), app.Failed)
	if run.Attempt != 2 || len(work.working) != 2 || run.Error != "timed out after 50 ms (limit)" {
		t.Errorf("after %d tries the row is %+v", len(work.working), run)
	}
}

func TestRetry_PassesNewerPrefetchedRuns(t *testing.T) {
	t.Parallel()
	store, clock := openWithClock(t)
	ticks := make(chan struct{}, 100)
	// The notifier is never notified, so there are only ticks.
	watched := &hookedStore{Store: store, notifier: new(app.Notifier),
		beforeCancelRequests: func() { ticks <- struct{}{} }}
	g := newGated()
	queue := newQueue(watched, jobs.Kind{Name: "test", Work: func(ctx context.Context, run *jobs.Run) error {
		if err := g.work(ctx, run); run.Row().FencingToken > 1 || run.ID > 1 {
			return err
		}
		return jobs.RetryAfter(time.Hour, errBroken)
	}})
	queue.Executor.MaxAttempts, queue.Workers = 2, 1
	create(t, store, "test", 8)
	start(t, queue)
	for _, want := range []int64{1, 2} {
		if run := receive(t, g.working, "work"); run.ID != want {
			t.Fatalf("run %d is worked on, not %d", run.ID, want)
		}
		if want == 1 {
			g.gate <- struct{}{}
		}
	}
	clock.setForward(2 * time.Hour)
	// The ticks are those of another loop, which a busy machine may run some ticks ahead.
	for next := int64(3); ; next++ {
		for len(ticks) > 0 {
			<-ticks
		}
		for range 2 {
			receive(t, ticks, "a tick")
		}
		g.gate <- struct{}{}
		run := receive(t, g.working, "work")
		if run.ID == 1 {
			break
		}
		if run.ID == 8 || run.ID != next {
			t.Errorf("run %d is worked on, although an older one is due", run.ID)
			break
		}
	}
	close(g.gate)
}
