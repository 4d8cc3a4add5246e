package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// waitingJob returns the job of a run.
func waitingJob(t testing.TB, store *Store, run app.ProcessRun) app.WaitingJob {
	t.Helper()
	return app.WaitingJob{ID: jobOf(t, store, run.ID).ID, Run: run.ID}
}

func TestStartJob_DropsJobsThatNoRunHas(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 4)
	var jobs []app.WaitingJob
	for _, run := range runs {
		jobs = append(jobs, waitingJob(t, store, run))
	}
	execute(t, store, "UPDATE process_runs SET job = job + 1000 WHERE id = $1", runs[0].ID)
	execute(t, store, "UPDATE process_runs SET status = 2 WHERE id = $1", runs[1].ID)
	execute(t, store, "DELETE FROM process_runs WHERE id = $1", runs[2].ID)
	for i, job := range jobs[:3] {
		if run, started, err := store.StartJob(ctx, job); started || err != nil {
			t.Errorf("job %d started %+v, %v", i, run, err)
		}
	}
	if left := number(t, store, "SELECT count(*) FROM river_job"); left != 1 {
		t.Errorf("%d jobs are left", left)
	}
	if run, started, err := store.StartJob(ctx, jobs[3]); !started || err != nil || run != get(t, store, runs[3].ID) {
		t.Errorf("the job of a run started %t, %+v, %v", started, run, err)
	}
}

// Two nodes may have read the same job.
func TestStartJob_StartsOnce(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	run := create(t, a, 1)[0]
	job := waitingJob(t, a, run)
	var starts atomic.Int64
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			_, started, err := []*Store{a, b}[i%2].StartJob(ctx, job)
			if err != nil {
				t.Error(err)
			}
			if started {
				starts.Add(1)
			}
		})
	}
	group.Wait()
	if starts.Load() != 1 {
		t.Errorf("the run was started %d times", starts.Load())
	}
	if got := get(t, a, run.ID); got.FencingToken != 1 || got.Version != 2 {
		t.Errorf("it is %+v", got)
	}
}

// startAction returns a started bulk action.
func startAction(t testing.TB, store *Store) app.ProcessRun {
	t.Helper()
	action, err := store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkRetry}, "")
	ok(t, err)
	return start(t, store, action)
}

func TestSnooze_AnotherNodeContinues(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	run := startAction(t, a)
	later, err := a.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkRetry}, "")
	ok(t, err)
	ok(t, a.Snooze(ctx, run))
	if first, last := jobOf(t, a, later.ID), jobOf(t, a, run.ID); first.Priority > last.Priority {
		t.Errorf("the snoozed run goes before the other: %+v, %+v", last, first)
	}
	job := waitingJob(t, a, run)
	got, continued, err := b.StartJob(ctx, job)
	if err != nil || !continued || got != run || get(t, a, run.ID) != run {
		t.Errorf("continued is %t, %+v, %v", continued, got, err)
	}
	if mine, err := b.StartedRuns(ctx); err != nil || len(mine) != 1 {
		t.Errorf("the other node works on %+v, %v", mine, err)
	}
	if n := number(t, a, "SELECT count(*) FROM river_job WHERE id = $1", job.ID); n != 0 {
		t.Error("it can be continued twice")
	}
	ok(t, b.Finish(ctx, run, app.Outcome{Status: app.Completed}))
	wantCode(t, b.Snooze(ctx, run), app.CodeConflict)
}

func TestSnooze_CancelsOnRequest(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := startAction(t, store)
	_, err := store.Cancel(ctx, run.ID)
	ok(t, err)
	ok(t, store.Snooze(ctx, run))
	if got := get(t, store, run.ID); got.Status != app.Cancelled {
		t.Errorf("it is %+v", got)
	}
}

func TestCancel_EndsSnoozedRunAtOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := startAction(t, store)
	ok(t, store.Snooze(ctx, run))
	got, err := store.Cancel(ctx, run.ID)
	ok(t, err)
	if got.Status != app.Cancelled || got.Version != run.Version+1 || got.Crashes != 0 ||
		got.FinishedAt.IsZero() || got != get(t, store, run.ID) {
		t.Errorf("it is %+v", got)
	}
	if n := number(t, store, "SELECT count(*) FROM river_job"); n != 0 {
		t.Error("it can still be continued")
	}
	wantCode(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}), app.CodeConflict)
	if counts := checkCounts(t, store); counts != (app.Counts{app.Cancelled: 1}) {
		t.Errorf("the counts are %v", counts)
	}
}

// A node of an older version has given up the job of a run, which then only seems to be snoozed.
func TestStartJob_RescuesRunWithoutWorker(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	runs := create(t, a, 2)
	jobs := []app.WaitingJob{waitingJob(t, a, runs[0]), waitingJob(t, a, runs[1])}
	execute(t, a, "UPDATE process_runs SET status = 1, attempt = 1, node = 0 WHERE id = $1", runs[0].ID)
	execute(t, a, "UPDATE process_runs SET status = 1, attempt = 1, node = $2 WHERE id = $1", runs[1].ID, a.Node())
	for _, job := range jobs {
		if run, started, err := b.StartJob(ctx, job); started || err != nil {
			t.Errorf("it started %+v, %v", run, err)
		}
	}
	if got := get(t, a, runs[0].ID); got.Status != app.Created || got.Crashes != 1 {
		t.Errorf("the run of no node is %+v", got)
	}
	if got := get(t, a, runs[1].ID); got.Status != app.Started {
		t.Errorf("the run of a live node is %+v", got)
	}
}

func TestScheduleJobs_MakesDueJobsAvailable(t *testing.T) {
	t.Parallel()
	var delay atomic.Int64
	store := newStore(t, Options{StartDelay: func(string) time.Duration { return time.Duration(delay.Load()) }})
	var runs []app.ProcessRun
	for _, after := range []time.Duration{schedulerAhead / 2, schedulerAhead * 3 / 2, time.Hour} {
		delay.Store(int64(after))
		runs = append(runs, create(t, store, 1)...)
	}
	wantStates(t, store, runs, available, "scheduled", "scheduled")
	execute(t, store, `UPDATE river_job SET scheduled_at = scheduled_at - $1 * interval '1 second'
		WHERE state = 'scheduled'`, schedulerAhead.Seconds())
	n, err := store.ScheduleJobs(ctx)
	if ok(t, err); n != 1 {
		t.Errorf("%d jobs are scheduled", n)
	}
	wantStates(t, store, runs, available, available, "scheduled")
}
