package river_test

import (
	"context"
	"testing"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
)

// begin starts a run for a worker that is lost: its job was fetched an hour ago.
func begin(t *testing.T, store *postgres.Store, run int64) app.ProcessRun {
	t.Helper()
	started, err := store.Start(t.Context(), read(t, store, run))
	if err != nil {
		t.Fatal(err)
	}
	lose(t, store, run)
	return started
}

// lose makes the job of a run look as if a lost node had fetched it an hour ago. It also resets a job
// that is finished, because River may go on to save results for some seconds after its node has stopped. A run
// that an engine has started has no job.
func lose(t *testing.T, store *postgres.Store, run int64) {
	t.Helper()
	execute(t, store, `UPDATE process_runs SET node = 0 WHERE id = $1`, run)
	_, err := store.Pool().Exec(t.Context(), `UPDATE river_job SET state = 'running', finalized_at = NULL, attempt = 1,
			attempted_at = now() - interval '1 hour', attempted_by = '{gone}'
		FROM process_runs WHERE job = river_job.id AND process_runs.id = $1`, run)
	if err != nil {
		t.Fatal(err)
	}
}

// crash makes a run lose its worker several times.
func crash(t *testing.T, store *postgres.Store, run int64, times int) {
	t.Helper()
	for range times {
		if err := store.Rescue(t.Context(), begin(t, store, run)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRescue_RequeuesALostRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	started, waiting := create(t, store, "test", 1), create(t, store, "test", 1)
	begin(t, store, started)
	lose(t, store, waiting) // lost before the run was started: not a crash
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	if run := waitForStatus(t, store, started, app.Completed); run.Crashes != 1 || run.Attempt != 1 ||
		run.FencingToken != 2 {
		t.Errorf("the run that was started is %+v", run)
	}
	if run := waitForStatus(t, store, waiting, app.Completed); run.Crashes != 0 || run.Attempt != 1 ||
		run.FencingToken != 1 {
		t.Errorf("the run that was not is %+v", run)
	}
}

func TestRescue_FailsAfterMaxCrashes(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	run := create(t, store, "test", 1)
	crash(t, store, run, maxCrashes-1)
	begin(t, store, run)
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	if run := waitForStatus(t, store, run, app.Failed); run.Crashes != maxCrashes {
		t.Errorf("the run is %+v", run)
	}
}

func TestRescue_CancelsOnRequest(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	run := create(t, store, "test", 1)
	begin(t, store, run)
	if _, err := store.Cancel(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	waitForStatus(t, store, run, app.Cancelled)
}

func TestRescue_DropsStaleResults(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	working, lateMay, late := make(chan *jobs.Run, 2), make(chan struct{}), make(chan struct{})
	engine := newEngine(store, jobs.Kind{Name: "test", Work: func(_ context.Context, run *jobs.Run) error {
		working <- run
		if run.Row().FencingToken == 1 {
			<-lateMay
			defer close(late)
			return errBroken
		}
		return nil
	}})
	_, stopped := start(t, engine)
	id := create(t, store, "test", 1)
	if err := store.Rescue(t.Context(), receive(t, working, "the first worker").Row()); err != nil {
		t.Fatal(err)
	}
	if run := waitForStatus(t, store, id, app.Completed); run.FencingToken != 2 {
		t.Errorf("the second worker has made of it %+v", run)
	}
	close(lateMay)
	receive(t, late, "the first worker to return")
	done := read(t, store, id)
	waitUntil(t, store, "all to be put away", func() bool {
		return query[int](t, store, `SELECT count(*) FROM river_job WHERE state = 'running' AND kind LIKE 'run:%'`) == 0
	})
	if run := read(t, store, id); run != done || run.Status != app.Completed {
		t.Errorf("the late result has made of it %+v", run)
	}
	select {
	case <-stopped:
		t.Error("the engine has stopped")
	default:
	}
}

func TestRescue_ReplacesADiscardedJob(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	waiting, started, gone := create(t, store, "test", 1), create(t, store, "test", 1),
		create(t, store, "test", 1)
	begin(t, store, started)
	for run, state := range map[int64]string{waiting: "cancelled", started: "discarded"} {
		execute(t, store, `UPDATE river_job SET state = $2::river_job_state, finalized_at = now()
			FROM process_runs WHERE job = river_job.id AND process_runs.id = $1`, run, state)
	}
	execute(t, store, `DELETE FROM river_job USING process_runs WHERE job = river_job.id AND process_runs.id = $1`, gone)
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	for run, crashes := range map[int64]int{waiting: 0, started: 1, gone: 0} {
		if run := waitForStatus(t, store, run, app.Completed); run.Crashes != crashes {
			t.Errorf("the run is %+v", run)
		}
	}
}

func TestJob_FormerJobStartsNothing(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	id := create(t, store, "test", 1)
	job := func() int64 { return query[int64](t, store, `SELECT job FROM process_runs WHERE id = $1`, id) }
	before := job()
	run, err := store.RunForJob(t.Context(), id, before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = store.Cancel(t.Context(), id); err == nil {
		_, err = store.Retry(t.Context(), id)
	}
	if err != nil || job() == before {
		t.Fatal(err)
	}
	if run, err := store.Start(t.Context(), run); app.CodeOf(err) != app.CodeConflict {
		t.Errorf("it is %+v, %v", run, err)
	}
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	if run := waitForStatus(t, store, id, app.Completed); run.FencingToken != 1 {
		t.Errorf("in the end it is %+v", run)
	}
}

func TestJob_WithoutARunEnds(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	id := create(t, store, "test", 1)
	before := query[int64](t, store, `SELECT job FROM process_runs WHERE id = $1`, id)
	run, err := store.Start(t.Context(), read(t, store, id))
	if err == nil {
		err = store.Rescue(t.Context(), run) // the rescue gives the run another job
	}
	if err != nil {
		t.Fatal(err)
	}
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	if run := waitForStatus(t, store, id, app.Completed); run.FencingToken != 2 || run.Crashes != 1 {
		t.Errorf("the run is %+v", run)
	}
	waitUntil(t, store, "the job to be dealt with that it had before", func() bool {
		return query[bool](t, store, `SELECT state = 'completed' OR metadata ? 'snoozes' FROM river_job WHERE id = $1`, before)
	})
	if state := query[string](t, store, `SELECT state::text FROM river_job WHERE id = $1`, before); state != "completed" {
		t.Errorf("that job is %s: it would be handed out for ever", state)
	}
}

func TestMaintenance_SurvivesALostNode(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	// The run time limit exceeds the patience of this test, so River does not rescue the job meanwhile.
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	const rescues = `FROM river_job WHERE kind = 'maintenance:rescue'`
	stop, stopped := start(t, engine)
	waitUntil(t, store, "a chore to be done", func() bool {
		return query[int](t, store, `SELECT count(*) `+rescues+` AND state = 'completed'`) > 0
	})
	stop()
	receive(t, stopped, "the node to stop")
	execute(t, store, `UPDATE river_job SET state = 'running', finalized_at = NULL, attempted_at = now() WHERE id = (SELECT max(id) `+rescues+`)`)
	last := query[int64](t, store, `SELECT max(id) `+rescues)
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	waitUntil(t, store, "the chore to be done by another", func() bool {
		return query[int](t, store, `SELECT count(*) `+rescues+` AND state = 'completed' AND id > $1`,
			last) > 0
	})
}
