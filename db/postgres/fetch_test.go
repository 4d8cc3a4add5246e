package postgres

import (
	"strings"
	"sync"
	"testing"
	"time"

	"runboard/app"
)

// startJobsOf starts the runs of at most n available jobs.
func startJobsOf(t testing.TB, store *Store, n int) (started []app.ProcessRun, left []app.WaitingJob) {
	t.Helper()
	started, left, err := store.StartJobs(ctx, jobRequest(n, n))
	ok(t, err)
	return started, left
}

func jobRequest(most, slots int) app.JobRequest {
	return app.JobRequest{Queue: app.DefaultQueue, Kinds: []string{kind}, Most: most, Slots: slots}
}

func TestStartJobs_DoesWhatStartDoes(t *testing.T) {
	t.Parallel()
	now := newClock()
	store := newStore(t, Options{Now: now.now})
	runs := create(t, store, 3)
	now.advance(time.Second)
	want := start(t, store, runs[0])
	started, left := startJobsOf(t, store, 10)
	if len(started) != 2 || len(left) != 0 {
		t.Fatalf("it started %+v and left %v", started, left)
	}
	for _, run := range started {
		if stored := get(t, store, run.ID); stored != run {
			t.Errorf("it returned %+v and saved %+v", run, stored)
		}
		id := run.ID
		run.ID = want.ID
		if run != want {
			t.Errorf("the run is %+v, and %+v by Start", run, want)
		}
		if n := number(t, store, `SELECT count(*) FROM run_events AS a JOIN run_events AS b USING (version, at, status, attempt, note, log_offset)
			WHERE a.run_id = $1 AND b.run_id = $2`, id, want.ID); n != 1 {
			t.Errorf("of its history, %d events are those of Start", n)
		}
		ok(t, store.Finish(ctx, get(t, store, id), app.Outcome{Status: app.Completed}))
	}
	if n := number(t, store, "SELECT count(*) FROM river_job"); n != 0 {
		t.Errorf("%d jobs are left", n)
	}
	checkCounts(t, store)
	if again, left := startJobsOf(t, store, 10); len(again) != 0 || len(left) != 0 {
		t.Errorf("then it started %+v and left %v", again, left)
	}
}

func TestStartJobs_TakesOldestFirst(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 5)
	ok(t, store.Requeue(ctx, start(t, store, runs[4]))) // its new job goes first
	for _, want := range []int64{runs[4].ID, runs[0].ID, runs[1].ID} {
		if started, left := startJobsOf(t, store, 1); len(started) != 1 || started[0].ID != want || len(left) != 0 {
			t.Errorf("it started %+v instead of %d, and left %v", started, want, left)
		}
	}
	started, left, err := store.StartJobs(ctx, jobRequest(2, 1))
	ok(t, err)
	rest := app.WaitingJob{ID: jobOf(t, store, runs[3].ID).ID, Run: runs[3].ID}
	if len(started) != 1 || started[0].ID != runs[2].ID || len(left) != 1 || left[0] != rest {
		t.Errorf("with one slot, it started %+v and left %v", started, left)
	}
}

func TestStartJobs_LeavesRunsThatMayHaveToWait(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, store *Store, run app.ProcessRun){
		"its kind has a limit": func(_ *testing.T, store *Store, _ app.ProcessRun) {
			store.options.Definitions.(*definitions).set(app.Policy{Concurrency: 10})
		},
		"another node has paused its kind": func(t *testing.T, store *Store, _ app.ProcessRun) {
			execute(t, store, "INSERT INTO paused_kinds VALUES ($1, 1)", kind)
		},
		"the run has another job": func(t *testing.T, store *Store, run app.ProcessRun) {
			execute(t, store, "UPDATE process_runs SET job = job + 1000 WHERE id = $1", run.ID)
		},
		"the run is gone": func(t *testing.T, store *Store, run app.ProcessRun) {
			execute(t, store, "DELETE FROM process_runs WHERE id = $1", run.ID)
		},
		"the run is snoozed": func(t *testing.T, store *Store, run app.ProcessRun) {
			execute(t, store, "UPDATE process_runs SET status = 1 WHERE id = $1", run.ID)
		},
		"another transaction changes the run": func(t *testing.T, store *Store, run app.ProcessRun) {
			tx, err := store.db.BeginTxx(ctx, nil)
			ok(t, err)
			t.Cleanup(func() { _ = tx.Rollback() })
			_, err = tx.Exec(lockRun, run.ID)
			ok(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(0)})
			prepare(t, store, create(t, store, 1)[0])
			started, left := startJobsOf(t, store, 10)
			if len(started) != 0 {
				t.Errorf("it started %+v", started)
			}
			if n := number(t, store, "SELECT count(*) FROM process_runs WHERE fencing_token > 0"); n != 0 {
				t.Error("it started a run and did not say so")
			}
			// If the node has heard of the pause, the job is pending.
			if n := number(t, store, "SELECT count(*) FROM river_job WHERE state IN ('available', 'pending')"); n != 1 {
				t.Errorf("%d jobs are left", n)
			}
			if n := number(t, store, "SELECT count(*) FROM river_job WHERE state = 'available'"); n > 0 && len(left) != 1 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// The server refuses the start of one run.
func TestStartJobs_RefusedRunStopsNoOthers(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 5)
	refuseRun(t, store, runs[1].ID)
	started, left := startJobsOf(t, store, 10)
	if len(started) != 0 || len(left) != 5 {
		t.Fatalf("it started %+v and left %v", started, left)
	}
	for i, job := range left {
		run, isStarted, err := store.StartJob(ctx, job)
		if isStarted != (i != 1) || isStarted != (err == nil) || isStarted && run.ID != runs[i].ID {
			t.Errorf("the start of run %d is %t, %+v, %v", i, isStarted, run, err)
		}
	}
}

func TestStartJobs_IgnoresOtherJobs(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{StartDelay: func(name string) time.Duration {
		if name == kind {
			return time.Hour
		}
		return 0
	}})
	create(t, store, 1) // is not due
	_, err := store.Create(ctx, app.CreateRequest{Kind: "elsewhere", Count: 1})
	ok(t, err)
	if started, left := startJobsOf(t, store, 10); len(started) != 0 || len(left) != 0 {
		t.Errorf("it started %+v and left %v", started, left)
	}
}

func TestStartJobs_ConcurrentNodesStartEachRunOnce(t *testing.T) {
	t.Parallel()
	const runs = 300
	a, b := newStores(t, Options{})
	create(t, a, runs)
	var mu sync.Mutex
	times := map[int64]int{}
	var nodes sync.WaitGroup
	for _, store := range []*Store{a, b, a, b} {
		nodes.Go(func() {
			for {
				started, left := startJobsOf(t, store, 7)
				mu.Lock()
				for _, run := range started {
					times[run.ID]++
				}
				done := len(times) == runs
				mu.Unlock()
				if done || len(started)+len(left) == 0 && number(t, store, "SELECT count(*) FROM river_job") == 0 {
					return
				}
			}
		})
	}
	nodes.Wait()
	if len(times) != runs {
		t.Errorf("%d runs were started", len(times))
	}
	for run, n := range times {
		if n != 1 {
			t.Errorf("run %d was started %d times", run, n)
		}
	}
	if n := number(t, a, "SELECT count(*) FROM process_runs WHERE status = 1 AND version = 2 AND fencing_token = 1"); n != runs {
		t.Errorf("%d runs are started", n)
	}
}

func TestStartJobs_FindsJobsAfterNone(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for range 3 {
		for range 2 {
			if started, left := startJobsOf(t, store, 10); len(started)+len(left) != 0 {
				t.Fatalf("without runs, it started %+v and left %v", started, left)
			}
		}
		create(t, store, 2)
		if started, left := startJobsOf(t, store, 10); len(started) != 2 || len(left) != 0 {
			t.Fatalf("it started %+v and left %v", started, left)
		}
	}
}

// startNotified starts one run after a notification. An earlier one may still be on its way.
func startNotified(t testing.TB, store *Store, notified <-chan struct{}) {
	t.Helper()
	for {
		awaitNotification(t, notified)
		if started, _ := startJobsOf(t, store, 1); len(started) == 1 {
			return
		}
	}
}

// hearing returns a store on the database of another that hears of jobs by notifications alone, and the
// channel of these.
func hearing(t testing.TB, store *Store) (other *Store, notified <-chan struct{}) {
	t.Helper()
	other = openStore(t, Options{URL: store.options.URL, tickEvery: time.Hour})
	notified, stop := other.JobsAdded(app.DefaultQueue).Subscribe()
	t.Cleanup(stop)
	return other, notified
}

func TestJobsAdded_NotifiesAllNodesOfEveryJob(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{tickEvery: time.Hour})
	other, elsewhere := hearing(t, store)
	here, stop := store.JobsAdded(app.DefaultQueue).Subscribe()
	defer stop()
	for range 10 {
		create(t, store, 1)
		awaitNotification(t, here)
		startNotified(t, other, elsewhere)
	}
}

func TestJobsAdded_NotifiesWhenDelayedJobsAreDue(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{
		tickEvery: time.Hour, StartDelay: func(string) time.Duration { return 700 * time.Millisecond },
	})
	other, notified := hearing(t, store)
	create(t, store, 1)
	startNotified(t, other, notified)
	again := app.Outcome{Status: app.Created, RetryIn: time.Second}
	ok(t, store.Finish(ctx, get(t, store, 1), again))
	startNotified(t, other, notified)
}

func TestJobsAdded_NotifiesAfterReconnect(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{tickEvery: time.Hour})
	_, notified := hearing(t, store)
	for range 2 {
		if n := number(t, store, endListeners); n < 2 {
			t.Fatalf("%d listened", n)
		}
		awaitNotification(t, notified)
		until(t, "both listen again", func() bool {
			return number(t, store, `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND query = 'LISTEN `+channel+`'`) == 2
		})
	}
}

// The server may still know nothing of thousands of new runs: plans must not depend on how many there are.
func TestPlan_StartsAndCompletionsUsePrimaryKey(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	execute(t, store, "ALTER TABLE process_runs SET (autovacuum_enabled = false)")
	execute(t, store, "ALTER TABLE river_job SET (autovacuum_enabled = false)")
	runs := create(t, store, 1000)
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		conn, err := store.db.Connx(ctx)
		ok(t, err)
		_, err = conn.ExecContext(ctx, "SET plan_cache_mode = "+mode)
		ok(t, err)
		var lines []string
		ok(t, conn.SelectContext(ctx, &lines, "EXPLAIN "+startJobs, 1, 1, app.DefaultQueue,
			[]string{(app.Job{RunKind: kind}).Kind()}, 100, []string{kind}, 100))
		var more []string
		ids := []int64{runs[0].ID, runs[1].ID}
		ok(t, conn.SelectContext(ctx, &more, "EXPLAIN "+completeRuns, 1, ids, ids, 1))
		ok(t, conn.Close())
		plan := strings.Join(append(lines, more...), "\n")
		for _, unwanted := range []string{"process_runs_by", "Seq Scan on process_runs", "Seq Scan on river_job"} {
			if strings.Contains(plan, unwanted) {
				t.Errorf("with %s, the plans have %q:\n%s", mode, unwanted, plan)
			}
		}
	}
}
