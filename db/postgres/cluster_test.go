package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// job is a row of river_job.
type job struct {
	ID          int64
	Kind        string
	Queue       string
	State       string
	Priority    int
	Args        string
	ScheduledAt time.Time `db:"scheduled_at"`
}

// jobOf returns the job of a run.
func jobOf(t testing.TB, store *Store, run int64) (found job) {
	t.Helper()
	ok(t, store.db.GetContext(ctx, &found, `SELECT id, kind, queue, state, priority, args::text, scheduled_at FROM river_job
		WHERE id = (SELECT job FROM process_runs WHERE id = $1)`, run))
	return found
}

func TestJob_ExistsForEveryCreatedRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 300)
	for _, run := range []app.ProcessRun{runs[0], runs[299]} {
		got := jobOf(t, store, run.ID)
		if got.Kind != (app.Job{RunKind: kind}).Kind() || got.Queue != app.DefaultQueue ||
			got.State != "available" {
			t.Errorf("its job is %+v", got)
		}
	}
	if n := number(t, store,
		`SELECT count(*) FROM process_runs JOIN river_job ON river_job.id = job AND (args->>'run')::bigint = process_runs.id`); n != 300 {
		t.Errorf("%d have jobs", n)
	}
	first := jobOf(t, store, runs[0].ID)
	started := start(t, store, runs[0])
	ok(t, store.Requeue(ctx, started))
	second := jobOf(t, store, runs[0].ID)
	if second.ID == first.ID || second.State != "available" || second.Priority >= first.Priority {
		t.Errorf("requeued, its job is %+v after %+v", second, first)
	}
	ok(t, store.Finish(ctx, start(t, store, get(t, store, runs[0].ID)),
		app.Outcome{Status: app.Created, RetryIn: time.Hour}))
	later := get(t, store, runs[0].ID)
	due := later.ScheduledAt
	if !due.Equal(later.UpdatedAt.Add(time.Hour)) {
		t.Errorf("it waits from %s until %s", later.UpdatedAt, due)
	}
	if third := jobOf(t, store, runs[0].ID); third.State != "scheduled" || !third.ScheduledAt.Equal(due) {
		t.Errorf("to be tried again at %s, its job is %+v", due, third)
	}
}

func TestJob_HasScheduledTimeOfRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{StartDelay: func(string) time.Duration { return 2 * time.Second }})
	run := get(t, store, create(t, store, 1)[0].ID)
	job := jobOf(t, store, run.ID)
	if job.State != "available" || run.ScheduledAt.IsZero() || !job.ScheduledAt.Equal(run.ScheduledAt) {
		t.Errorf("the run is %+v and its job %+v", run, job)
	}
}

func TestJob_FollowsItsRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := create(t, store, 1)[0]
	jobs := func() int64 { return number(t, store, "SELECT count(*) FROM river_job") }
	first := jobOf(t, store, run.ID)
	_, err := store.Cancel(ctx, run.ID)
	if ok(t, err); jobs() != 0 {
		t.Error("a cancelled run has a job")
	}
	_, err = store.Retry(ctx, run.ID)
	ok(t, err)
	if retried := jobOf(t, store, run.ID); retried.ID == first.ID || retried.State != "available" {
		t.Errorf("tried again, it has the job %+v", retried)
	}
	started := start(t, store, get(t, store, run.ID))
	if jobs() != 0 {
		t.Error("a started run has a job")
	}
	_, err = store.Cancel(ctx, run.ID)
	ok(t, err)
	if got := get(t, store, run.ID); got.Status != app.Started || !got.CancelRequested() {
		t.Errorf("the worker cannot act on the request: %+v", got)
	}
	ok(t, store.Finish(ctx, started, app.Outcome{Status: app.Completed}))
	action, err := store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkRetry}, "")
	ok(t, err)
	if got := jobOf(t, store, action.ID); got.Queue != app.BulkQueue {
		t.Errorf("of an action the job is %+v", got)
	}
}

func TestRescue_RequeuesRunOfLostWorker(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{MaxCrashes: 2})
	run := start(t, store, create(t, store, 1)[0])
	ok(t, store.Rescue(ctx, run))
	wantCode(t, store.Rescue(ctx, run), app.CodeConflict)
	again := get(t, store, run.ID)
	if again.Status != app.Created || again.Crashes != 1 || again.Attempt != 0 ||
		jobOf(t, store, run.ID).Queue != app.QuarantineQueue {
		t.Errorf("it is %+v with the job %+v", again, jobOf(t, store, run.ID))
	}
	wantCode(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}), app.CodeConflict)
	second := start(t, store, again)
	wantCode(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}), app.CodeConflict)
	ok(t, store.Rescue(ctx, second))
	if got := get(t, store, run.ID); got.Status != app.Failed || got.Failure == 0 || got.Crashes != 2 {
		t.Errorf("it is %+v", got)
	}
	asked := start(t, store, create(t, store, 1)[0])
	_, err := store.Cancel(ctx, asked.ID)
	ok(t, err)
	ok(t, store.Rescue(ctx, asked))
	if got := get(t, store, asked.ID); got.Status != app.Cancelled {
		t.Errorf("a run with a cancel request is %+v", got)
	}
	checkCounts(t, store)
}

func TestRescueOrphans_RequeuesRunsWithoutJob(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 6)
	for _, i := range []int{2, 3, 4} {
		runs[i] = start(t, store, runs[i])
	}
	forgetNode(t, store, runs[2], runs[3])
	execute(t, store, "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE id = $1",
		jobOf(t, store, runs[0].ID).ID) // by a person, with a tool for River
	execute(t, store, "DELETE FROM river_job WHERE id = $1", jobOf(t, store, runs[1].ID).ID)
	if n, err := store.RescueOrphans(ctx); err != nil || n != 4 {
		t.Errorf("%d runs are rescued: %v", n, err)
	}
	for i, crashes := range []int{0, 0, 1, 1} {
		if got := get(t, store, runs[i].ID); got.Status != app.Created || got.Crashes != crashes ||
			jobOf(t, store, got.ID).State != "available" {
			t.Errorf("run %d is %+v", i, got)
		}
	}
	if got := get(t, store, runs[4].ID); got != runs[4] {
		t.Errorf("one that is worked on is %+v", got)
	}
	if n, err := store.RescueOrphans(ctx); err != nil || n != 0 {
		t.Errorf("the second time %d runs are rescued: %v", n, err)
	}
}

func TestRescueOrphans_ConcurrentNodesRescueOnce(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{MaxConns: 5})
	runs := create(t, a, 2)
	runs[1] = start(t, a, runs[1])
	forgetNode(t, a, runs[1])
	execute(t, a, "DELETE FROM river_job")
	busy, err := a.db.BeginTxx(ctx, nil)
	ok(t, err)
	defer func() { _ = busy.Rollback() }()
	_, err = busy.ExecContext(ctx, "SELECT id FROM process_runs FOR UPDATE")
	ok(t, err)
	var group sync.WaitGroup
	var rescued atomic.Int64
	for _, store := range []*Store{a, b} {
		group.Go(func() {
			n, err := store.RescueOrphans(ctx)
			if err != nil {
				t.Error(err)
			}
			rescued.Add(int64(n))
		})
	}
	until(t, "both wait for the lock", func() bool {
		return number(t, a, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 2
	})
	ok(t, busy.Rollback())
	group.Wait()
	if n := number(t, a, "SELECT count(*) FROM river_job"); n != 2 || rescued.Load() != 2 {
		t.Errorf("two runs have %d jobs, and %d were rescued", n, rescued.Load())
	}
	for i, crashes := range []int{0, 1} {
		if got := get(t, a, runs[i].ID); got.Status != app.Created || got.Crashes != crashes {
			t.Errorf("run %d is %+v", i, got)
		}
	}
}

func TestKinds_AreHandledWhileAnnounced(t *testing.T) {
	t.Parallel()
	clock := newClock()
	a, b := newStores(t, Options{Kinds: func() []string { return []string{} }, Now: clock.now})
	create(t, a, 3)
	unhandledKinds := func() app.UnhandledKinds {
		page, err := a.Page(ctx, app.Query{})
		ok(t, err)
		return page.Unhandled
	}
	unhandled := app.UnhandledKinds{{Kind: kind, Runs: 3}}
	if got := unhandledKinds(); got != unhandled {
		t.Errorf("at first the unhandled kinds are %v", got)
	}
	ok(t, b.AnnounceKinds(ctx, []string{"other", kind}))
	if got := unhandledKinds(); got != (app.UnhandledKinds{}) {
		t.Errorf("while the kind is announced, the unhandled kinds are %v", got)
	}
	clock.advance(kindsTTL)
	if got := unhandledKinds(); got != unhandled {
		t.Errorf("later the unhandled kinds are %v", got)
	}
	ok(t, a.AnnounceKinds(ctx, []string{kind}))
	ok(t, b.AnnounceKinds(ctx, []string{kind}))
	ok(t, b.AnnounceKinds(ctx, []string{"other"}))
	if got := unhandledKinds(); got != (app.UnhandledKinds{}) {
		t.Errorf("while one of two nodes announces the kind, the unhandled kinds are %v", got)
	}
	ok(t, a.AnnounceKinds(ctx, nil))
	if got := unhandledKinds(); got != unhandled {
		t.Errorf("when no node announces the kind any more, the unhandled kinds are %v", got)
	}
}

func TestPrune_DeletesRunsWithTheirRows(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := newStore(t, Options{KeepFinished: time.Hour, KeepMax: 20, Now: clock.now})
	runs := create(t, store, 60)
	for _, run := range runs[:50] {
		run = start(t, store, run)
		ok(t, store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: []app.LogLine{{Text: "needle\n"}}}))
		ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Failed, Error: "no luck"}))
	}
	if n, err := store.Prune(ctx); n != 30 || err != nil {
		t.Errorf("of too many %d are dropped: %v", n, err)
	}
	if got := get(t, store, runs[30].ID); got.Status != app.Failed {
		t.Errorf("the oldest that is kept is %+v", got)
	}
	clock.advance(time.Hour + time.Millisecond)
	if n, err := store.Prune(ctx); n != 20 || err != nil {
		t.Errorf("of old ones %d are dropped: %v", n, err)
	}
	for table, want := range map[string]int64{"process_runs": 10, "run_events": 0, "run_logs": 0,
		"run_search": 0, "failure_patterns": 1} {
		if n := number(t, store, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	if counts := checkCounts(t, store); counts.Total() != 10 {
		t.Errorf("the counts are %v", counts)
	}
	clock.advance(25 * time.Hour)
	_, err := store.Prune(ctx)
	ok(t, err)
	for table, want := range map[string]int64{"failure_patterns": 1, "failure_hour_counts": 0} {
		if n := number(t, store, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("after a day, %s has %d rows", table, n)
		}
	}
	clock.advance(90 * 24 * time.Hour)
	_, err = store.Prune(ctx)
	ok(t, err)
	for _, table := range []string{"failure_patterns", "failure_counts"} {
		if n := number(t, store, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("after 90 days, %s has %d rows", table, n)
		}
	}
}

func TestPrune_SkipsUndeletableRun(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{KeepMax: 2})
	runs := create(t, store, 10)
	for _, run := range runs {
		fail(t, store, run, "no luck")
	}
	refuseRun(t, store, runs[0].ID)
	if n, err := store.Prune(ctx); n != 7 || err == nil {
		t.Errorf("%d runs are pruned: %v", n, err)
	}
	if n := number(t, store, "SELECT count(*) FROM process_runs"); n != 3 {
		t.Errorf("%d are left", n)
	}
}
