package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
)

// begin starts a run for a worker that is lost.
func begin(t *testing.T, store *postgres.Store, run int64) app.ProcessRun {
	t.Helper()
	started, err := store.Start(t.Context(), read(t, store, run))
	if err != nil {
		t.Fatal(err)
	}
	lose(t, store, run)
	return started
}

// lose makes a run look as if its node were lost.
func lose(t *testing.T, store *postgres.Store, run int64) {
	t.Helper()
	execute(t, store, `UPDATE process_runs SET node = 0 WHERE id = $1`, run)
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
	// A node of an older version was lost before it had started the run: not a crash.
	execute(t, store, `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{gone}'
		FROM process_runs WHERE job = river_job.id AND process_runs.id = $1`, waiting)
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
	waiting, gone := create(t, store, "test", 1), create(t, store, "test", 1)
	execute(t, store, `UPDATE river_job SET state = 'discarded', finalized_at = now()
		FROM process_runs WHERE job = river_job.id AND process_runs.id = $1`, waiting)
	execute(t, store, `DELETE FROM river_job USING process_runs WHERE job = river_job.id AND process_runs.id = $1`, gone)
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	for _, id := range []int64{waiting, gone} {
		if run := waitForStatus(t, store, id, app.Completed); run.Crashes != 0 {
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
	run := read(t, store, id)
	_, err := store.Cancel(t.Context(), id)
	if err == nil {
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

func TestMaintenance_AnotherNodeTakesOver(t *testing.T) {
	t.Parallel()
	nodes := openWith(t, options(migrated.Copy(t)), 2)
	var performed [2]atomic.Int32
	var stops [2]func()
	for i, store := range nodes {
		engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
		engine.Store = &maintainedStore{ClusterStore: store, rescues: &performed[i]}
		stops[i], _ = start(t, engine)
	}
	waitUntil(t, nodes[1], "the older node to rescue", func() bool { return performed[0].Load() > 0 })
	if n := performed[1].Load(); n > 0 {
		t.Errorf("the other node has rescued %d times", n)
	}
	stops[0]()
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, nodes[1], "the other node to rescue", func() bool { return performed[1].Load() > 0 })
}

// maintainedStore wraps a store and counts rescues.
type maintainedStore struct {
	app.ClusterStore
	rescues *atomic.Int32
}

func (s *maintainedStore) RescueOrphans(ctx context.Context) (int, error) {
	s.rescues.Add(1)
	return s.ClusterStore.RescueOrphans(ctx)
}
