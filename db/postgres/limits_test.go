package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// definitions is a source of kinds that a test can change.
type definitions struct {
	mu       sync.Mutex
	policies map[string]app.Policy
}

func limitedTo(concurrency int, key ...string) *definitions {
	policy := app.Policy{Concurrency: concurrency, ConcurrencyKey: key}
	return &definitions{policies: map[string]app.Policy{kind: policy}}
}

func (d *definitions) set(policy app.Policy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.policies[kind] = policy
}

func (d *definitions) Kinds() []app.Kind {
	defined, _ := d.Kind(kind)
	return []app.Kind{defined}
}

func (d *definitions) Kind(name string) (app.Kind, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	policy, known := d.policies[name]
	return app.Kind{Name: name, Policy: policy}, known
}

// jobStates returns the states of the jobs of runs.
func jobStates(t testing.TB, store *Store, runs []app.ProcessRun) (states []string) {
	t.Helper()
	for _, run := range runs {
		var state string
		ok(t, store.db.GetContext(ctx, &state, `SELECT coalesce(
			(SELECT state::text FROM river_job WHERE river_job.id = job), $2) FROM process_runs WHERE id = $1`, run.ID, none))
		states = append(states, state)
	}
	return states
}

// wantStates waits until the jobs of runs have these states.
func wantStates(t testing.TB, store *Store, runs []app.ProcessRun, want ...string) {
	t.Helper()
	until(t, fmt.Sprintf("the jobs are %v", want), func() bool {
		return slices.Equal(jobStates(t, store, runs), want)
	})
}

const (
	pending   = "pending"
	available = "available"
	none      = "none" // the run has no job
)

func TestLimits_OldestRunsHaveAvailableJobs(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(2)})
	runs := create(t, store, 5)
	wantStates(t, store, runs, available, available, pending, pending, pending)
	first := start(t, store, runs[0])
	start(t, store, runs[1])
	_, err := store.Cancel(ctx, runs[2].ID) // it waits
	ok(t, err)
	wantStates(t, store, runs[2:], none, pending, pending)
	ok(t, store.Finish(ctx, first, app.Outcome{Status: app.Completed}))
	wantStates(t, store, runs[3:], available, pending)
	_, err = store.Cancel(ctx, runs[3].ID) // it would have started next
	ok(t, err)
	wantStates(t, store, runs[3:], none, available)
	_, err = store.Retry(ctx, runs[2].ID) // it is older
	ok(t, err)
	wantStates(t, store, runs[2:], available, none, available)
	wantHeld(t, store, runs[4])
	wantStates(t, store, runs[2:], available, none, pending)
}

// wantHeld starts a run with its job, which must wait.
func wantHeld(t testing.TB, store *Store, run app.ProcessRun) {
	t.Helper()
	if _, started, err := store.StartJob(ctx, waitingJob(t, store, run)); started || err != nil {
		t.Fatalf("run %d is started: %t, %v", run.ID, started, err)
	}
}

// A retry is delivered when it is due, and then waits as others do.
func TestLimits_HeldRetryIsPending(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(1), Now: now})
	runs := create(t, store, 2)
	again := app.Outcome{Status: app.Created, Error: "Again.", RetryIn: time.Minute}
	ok(t, store.Finish(ctx, start(t, store, runs[0]), again))
	start(t, store, runs[1])
	ahead.Store(int64(time.Minute)) // the retry is due
	wantHeld(t, store, runs[0])
	wantStates(t, store, runs[:1], pending)
	ok(t, store.Finish(ctx, get(t, store, runs[1].ID), app.Outcome{Status: app.Completed}))
	wantStates(t, store, runs[:1], available)
}

func TestLimits_AreCountedByKey(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(1, "database")})
	var runs []app.ProcessRun
	for _, database := range []string{"shop", "shop", "crm"} {
		input := app.InputValue{Name: "database", Type: app.TextInput, Texts: []string{database}}
		request := app.CreateRequest{Kind: kind, Count: 1, Inputs: app.InputValues{input}}
		batch, err := store.Create(ctx, request)
		ok(t, err)
		runs = append(runs, batch.Runs()...)
	}
	wantStates(t, store, runs, available, pending, available)
	started := start(t, store, runs[0])
	wantHeld(t, store, runs[1])
	start(t, store, runs[2])
	ok(t, store.Requeue(ctx, started))
	wantStates(t, store, runs[:2], available, pending)
}

// Of many starts at once, as many succeed as the limit allows.
func TestLimits_ConcurrentStartsKeepThem(t *testing.T) {
	t.Parallel()
	const limit = 3
	a, b := newStores(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(limit)})
	runs := create(t, a, 20)
	var starts sync.WaitGroup
	for i, run := range runs {
		store := []*Store{a, b}[i%2]
		starts.Go(func() {
			if _, _, err := store.StartJob(ctx, waitingJob(t, store, run)); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	if counts := checkCounts(t, a); counts[app.Started] > limit {
		t.Errorf("%d runs are started", counts[app.Started])
	}
	for counts := checkCounts(t, a); counts[app.Started] < limit; counts = checkCounts(t, a) {
		for _, run := range runs {
			if get(t, a, run.ID).Status == app.Created {
				_, _, _ = a.StartJob(ctx, waitingJob(t, a, run))
			}
		}
	}
	if counts := checkCounts(t, a); counts[app.Started] != limit {
		t.Errorf("%d runs are started", counts[app.Started])
	}
}

// A start does not see another one that is not committed yet. Without the lock, an older run that has just
// been retried would start beside it.
func TestLimits_StartsWaitForEachOther(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: limitedTo(1)})
	runs := create(t, store, 2)
	_, err := store.Cancel(ctx, runs[0].ID)
	ok(t, err)
	isStarted, commit, results := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		results <- store.write(ctx, func(tx *transaction) error {
			if err := tx.lockGroup(store.groupOf(runs[1])); err != nil {
				return err
			}
			_, _, err := tx.start(runs[1], 0)
			close(isStarted)
			<-commit
			return err
		})
	}()
	<-isStarted
	older, err := store.Retry(ctx, runs[0].ID)
	ok(t, err)
	var early atomic.Bool
	go func() {
		_, _, err := store.StartJob(ctx, waitingJob(t, store, older))
		early.Store(true)
		results <- err
	}()
	const waiting = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	until(t, "the other start waits", func() bool { return early.Load() || number(t, store, waiting) > 0 })
	close(commit)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if counts := checkCounts(t, store); counts[app.Started] != 1 {
		t.Errorf("%d runs are started", counts[app.Started])
	}
}

// A node that does not know of a pause yet fetches a job, but its start is refused.
func TestPause_StartIsRefused(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := create(t, store, 1)[0]
	kill(store) // it learns nothing any more
	execute(t, store, "INSERT INTO paused_kinds (kind, paused_at) VALUES ($1, 1)", kind)
	wantHeld(t, store, run)
	if state := jobStates(t, store, []app.ProcessRun{run})[0]; state != pending {
		t.Errorf("the job of the run is %s", state)
	}
}

func TestPause_JobsWaitUntilItEnds(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{sweepEvery: time.Hour})
	runs := create(t, store, 3)
	execute(t, store, "INSERT INTO paused_kinds (kind, paused_at) VALUES ($1, 1)", kind)
	ok(t, store.readPaused(ctx)) // as it does when it is notified
	wantStates(t, store, runs, pending, pending, pending)
	ok(t, store.PauseKind(ctx, kind, false))
	wantStates(t, store, runs, available, available, available)
}

func TestPause_AllNodesApplyIt(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{sweepEvery: time.Hour})
	ok(t, a.PauseKind(ctx, kind, true))
	until(t, "the other node knows", func() bool { return slices.Contains(b.PausedKinds(), kind) })
	runs := create(t, b, 2)
	wantStates(t, a, runs, pending, pending)
	ok(t, b.PauseKind(ctx, kind, false))
	wantStates(t, a, runs, available, available)
	until(t, "the first node knows", func() bool { return len(a.PausedKinds()) == 0 })
}

// A node that is lost between a commit and its balance leaves runs that wait for nothing.
func TestSweep_FindsRunsThatWaitForNothing(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]string{"whole kind": nil, "keys": {"database"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{Definitions: limitedTo(1, key...)})
			kill(store) // the sweep that follows its start may come late
			runs := create(t, store, 3)
			if key != nil {
				execute(t, store, "UPDATE process_runs SET concurrency_key = 'k'")
			}
			wantStates(t, store, runs[1:], pending, pending)
			execute(t, store, "UPDATE river_job SET state = 'pending'")
			ok(t, store.sweep(ctx, periodicSweep))
			wantStates(t, store, runs, available, pending, pending)
			execute(t, store, "UPDATE process_runs SET scheduled_at = 9e15 WHERE id = $1", runs[0].ID)
			execute(t, store, "UPDATE river_job SET state = 'scheduled' WHERE state = 'available'")
			ok(t, store.sweep(ctx, periodicSweep)) // the first run waits for its next attempt
			wantStates(t, store, runs, "scheduled", available, pending)
			start(t, store, runs[1])
			ok(t, store.sweep(ctx, periodicSweep))
			wantStates(t, store, runs[2:], pending)
		})
	}
}

func TestSweep_AppliesChangedDefinitions(t *testing.T) {
	t.Parallel()
	defined := limitedTo(0)
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: defined})
	runs := create(t, store, 4)
	wantStates(t, store, runs, available, available, available, available)
	for _, step := range []struct {
		limit int
		want  []string
	}{
		{1, []string{available, pending, pending, pending}},
		{3, []string{available, available, available, pending}},
		{0, []string{available, available, available, available}},
	} {
		defined.set(app.Policy{Concurrency: step.limit})
		store.ApplyDefinitions()
		wantStates(t, store, runs, step.want...)
	}
}

// A start that has read the earlier definitions may start more runs than the new ones allow.
func TestApplyDefinitions_WaitsForEarlierStarts(t *testing.T) {
	t.Parallel()
	defined := limitedTo(0)
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: defined})
	run := create(t, store, 1)[0]
	busy, err := store.db.BeginTxx(ctx, nil)
	ok(t, err)
	defer func() { _ = busy.Rollback() }()
	_, err = busy.ExecContext(ctx, "SELECT id FROM process_runs FOR UPDATE")
	ok(t, err)
	var group sync.WaitGroup
	var returned atomic.Bool
	group.Go(func() {
		_, _ = store.Start(ctx, run)
		returned.Store(true)
	})
	const waiting = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`
	until(t, "the start waits", func() bool { return number(t, store, waiting) == 1 })
	defined.set(app.Policy{Concurrency: 1})
	group.Go(func() {
		store.ApplyDefinitions()
		if !returned.Load() {
			t.Error("the definitions are applied while a start goes on")
		}
	})
	until(t, "the definitions wait", func() bool {
		free := store.starting.TryRLock()
		if free {
			store.starting.RUnlock()
		}
		return !free
	})
	ok(t, busy.Rollback())
	group.Wait()
}

// Runs that were created before their kind had keys get them.
func TestSweep_SetsMissingKeys(t *testing.T) {
	t.Parallel()
	defined := limitedTo(0)
	store := newStore(t, Options{sweepEvery: time.Hour, Definitions: defined})
	input := app.InputValue{Name: "database", Type: app.TextInput, Texts: []string{"shop"}}
	batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 3, Inputs: app.InputValues{input}})
	ok(t, err)
	defined.set(app.Policy{Concurrency: 1, ConcurrencyKey: []string{"database"}})
	store.ApplyDefinitions()
	wantStates(t, store, batch.Runs(), available, pending, pending)
	known, _ := defined.Kind(kind)
	want := known.ConcurrencyKeyOf(app.InputValues{input})
	if got := get(t, store, batch.First).ConcurrencyKey; got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
}

// The cost does not depend on the number of runs that wait.
func TestPlan_LimitsUseIndexes(t *testing.T) {
	t.Parallel()
	const many = 100_000
	store := newStore(t, Options{sweepEvery: time.Hour})
	execute(t, store, "ALTER TABLE process_runs SET (autovacuum_enabled = false)")
	execute(t, store, "ALTER TABLE river_job SET (autovacuum_enabled = false)")
	insertAs(t, store, many, "CASE WHEN i % 3 = 0 THEN 'other' ELSE 'test' END", "0")
	execute(t, store, "UPDATE process_runs SET job = id, concurrency_key = 'key ' || id % 7 WHERE id % 2 = 0")
	execute(t, store, `INSERT INTO river_job (id, kind, state, queue, args, max_attempts)
		SELECT id, 'run:' || kind, 'pending', 'runs', '{}', 9 FROM process_runs`)
	execute(t, store, "VACUUM ANALYZE process_runs, river_job")
	whole := limitGroup{kind: "test", policy: app.Policy{Concurrency: 3}}
	keyed := limitGroup{kind: "test", key: "key 2", policy: whole.policy}
	keyed.policy.ConcurrencyKey = []string{"database"}
	for name, statement := range map[string]struct {
		text string
		args []any
	}{
		"the start in a kind":     {whole.mayStart(), []any{"test", "", 3, 0, many}},
		"the start with a key":    {keyed.mayStart(), []any{"test", "key 2", 3, 0, many}},
		"the next runs of a kind": {whole.ready(), []any{"test", "", 3, 9e12}},
		"the next runs of a key":  {keyed.ready(), []any{"test", "key 2", 3, 9e12}},
		"the free keys":           {freeKeys, []any{"test", 3, 9e12}},
		"the kinds that wait":     {pendingKinds, nil},
		"a batch to release":      {releaseJobs, []any{"run:test", "test", 10}},
	} {
		var lines []string
		ok(t, store.db.SelectContext(ctx, &lines,
			"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) "+statement.text, statement.args...))
		plan := strings.Join(lines, "\n")
		looked := buffers.FindStringSubmatch(plan)
		hit, _ := strconv.Atoi(looked[1])
		read, _ := strconv.Atoi(looked[2])
		if blocks := hit + read; blocks > 300 { // all runs are more than 1,500
			t.Errorf("%s looks at %d blocks: %s", name, blocks, plan)
		}
	}
}
