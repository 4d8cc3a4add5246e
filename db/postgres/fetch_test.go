package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/app"
)

// startJobsOf starts the runs of at most n available jobs.
func startJobsOf(t testing.TB, store *Store, n int) (started []app.StartedJob, left int) {
	t.Helper()
	started, left, err := store.StartJobs(ctx, app.JobRequest{Kinds: []string{kind}, Most: n, Slots: n})
	ok(t, err)
	return started, left
}

func TestStartJobs_DoesWhatStartDoes(t *testing.T) {
	t.Parallel()
	now := newClock()
	store := newStore(t, Options{Now: now.now})
	runs := create(t, store, 3)
	jobs := map[int64]int64{runs[1].ID: jobOf(t, store, runs[1].ID).ID, runs[2].ID: jobOf(t, store, runs[2].ID).ID}
	now.advance(time.Second)
	want := start(t, store, runs[0])
	execute(t, store, "DELETE FROM river_job WHERE id = (SELECT job FROM process_runs WHERE id = $1)", runs[0].ID)
	started, left := startJobsOf(t, store, 10)
	if len(started) != 2 || left != 0 {
		t.Fatalf("it started %+v and left %d", started, left)
	}
	for _, job := range started {
		if jobs[job.Run.ID] != job.ID {
			t.Errorf("run %d had job %d, not %d", job.Run.ID, jobs[job.Run.ID], job.ID)
		}
		if stored := get(t, store, job.Run.ID); stored != job.Run {
			t.Errorf("it returned %+v and saved %+v", job.Run, stored)
		}
		id := job.Run.ID
		job.Run.ID = want.ID
		if job.Run != want {
			t.Errorf("the run is %+v, and %+v by Start", job.Run, want)
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
	if again, left := startJobsOf(t, store, 10); len(again) != 0 || left != 0 {
		t.Errorf("then it started %+v and left %d", again, left)
	}
}

func TestStartJobs_TakesOldestFirst(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 5)
	ok(t, store.Requeue(ctx, start(t, store, runs[4]))) // its new job goes first
	execute(t, store, "DELETE FROM river_job WHERE id NOT IN (SELECT job FROM process_runs)")
	for _, want := range []int64{runs[4].ID, runs[0].ID, runs[1].ID} {
		if started, left := startJobsOf(t, store, 1); len(started) != 1 || started[0].Run.ID != want || left != 0 {
			t.Errorf("it started %+v instead of %d, and left %d", started, want, left)
		}
	}
	started, left, err := store.StartJobs(ctx, app.JobRequest{Kinds: []string{kind}, Most: 2, Slots: 1})
	ok(t, err)
	if len(started) != 1 || started[0].Run.ID != runs[2].ID || left != 1 {
		t.Errorf("with one slot, it started %+v and left %d", started, left)
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
		"the run is started": func(t *testing.T, store *Store, run app.ProcessRun) { start(t, store, run) },
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
			// If the node has heard of the pause, the job is pending.
			if n := number(t, store, "SELECT count(*) FROM river_job WHERE state IN ('available', 'pending')"); n != 1 {
				t.Errorf("%d jobs are left", n)
			}
			if n := number(t, store, "SELECT count(*) FROM river_job WHERE state = 'available'"); n > 0 && left != 1 {
				t.Errorf("it left %d jobs to River", left)
			}
		})
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
	if started, left := startJobsOf(t, store, 10); len(started) != 0 || left != 0 {
		t.Errorf("it started %+v and left %d", started, left)
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
				for _, job := range started {
					times[job.Run.ID]++
				}
				done := len(times) == runs
				mu.Unlock()
				if done || len(started)+left == 0 && number(t, store, "SELECT count(*) FROM river_job") == 0 {
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
			if started, left := startJobsOf(t, store, 10); len(started)+left != 0 {
				t.Fatalf("without runs, it started %+v and left %d", started, left)
			}
		}
		create(t, store, 2)
		if started, left := startJobsOf(t, store, 10); len(started) != 2 || left != 0 {
			t.Fatalf("it started %+v and left %d", started, left)
		}
	}
}

// listenForJobs returns a connection that listens as River does.
func listenForJobs(t testing.TB, store *Store) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, store.options.URL)
	ok(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	_, err = conn.Exec(ctx, `LISTEN "public.river_insert"`)
	ok(t, err)
	return conn
}

// startNotified starts one run after a notification. An earlier one may still be on its way.
func startNotified(t testing.TB, store *Store, conn *pgx.Conn) {
	t.Helper()
	for {
		patient, cancel := context.WithTimeout(ctx, patience)
		notification, err := conn.WaitForNotification(patient)
		cancel()
		ok(t, err)
		if notification.Payload != `{"queue" : "runs"}` {
			t.Fatalf("the notification is %s", notification.Payload)
		}
		if started, _ := startJobsOf(t, store, 1); len(started) == 1 {
			return
		}
	}
}

// River polls, but rarely: a node must hear of every new job.
func TestQueued_NotifiesAfterEveryCommit(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	conn := listenForJobs(t, store)
	for range 20 {
		create(t, store, 1)
		startNotified(t, store, conn)
	}
}

func TestQueued_NotifiesWhenDelayedJobsAreDue(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{StartDelay: func(string) time.Duration { return 700 * time.Millisecond }})
	conn := listenForJobs(t, store)
	create(t, store, 1)
	startNotified(t, store, conn)
	run := get(t, store, 1)
	ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Created, RetryIn: time.Second}))
	startNotified(t, store, conn)
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
		ok(t, conn.SelectContext(ctx, &more, "EXPLAIN "+completeRuns, 1, ids, ids, ids, 1))
		ok(t, conn.Close())
		plan := strings.Join(append(lines, more...), "\n")
		for _, unwanted := range []string{"process_runs_by", "Seq Scan on process_runs", "Seq Scan on river_job"} {
			if strings.Contains(plan, unwanted) {
				t.Errorf("with %s, the plans have %q:\n%s", mode, unwanted, plan)
			}
		}
	}
}
