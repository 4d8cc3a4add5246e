package cluster_test

import (
	"context"
	"testing"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
)

func TestStop_AnotherNodeTakesOver(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("test")) // DrainTimeout is 0
	stop, stopped := start(t, engine)
	id := create(t, store, "test", 1)
	receive(t, g.working, "the work")
	stop()
	receive(t, stopped, "the first node to stop")
	if run := read(t, store, id); run.Status != app.Created || run.Attempt != 0 || run.Crashes != 0 {
		t.Fatalf("the run is %+v", run)
	}
	close(g.gate)
	start(t, newEngine(store, g.kind("test")))
	if run := waitForStatus(t, store, id, app.Completed); run.Attempt != 1 || run.FencingToken != 2 {
		t.Errorf("the run is %+v", run)
	}
}

func TestStop_DrainsRunningWork(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("test"))
	engine.DrainTimeout = patience
	stop, stopped := start(t, engine)
	working := create(t, store, "test", 1)
	receive(t, g.working, "the work")
	stop()
	waits := create(t, store, "test", 1)
	close(g.gate)
	receive(t, stopped, "the node to stop")
	for run, want := range map[int64]app.Status{working: app.Completed, waits: app.Created} {
		if run := read(t, store, run); run.Status != want {
			t.Errorf("the run is %+v", run)
		}
	}
}

// stoppingStore stops the engine while it fetches its first runs.
type stoppingStore struct {
	app.ClusterStore
	stops chan func()
}

func (s *stoppingStore) StartJobs(
	ctx context.Context, request app.JobRequest,
) ([]app.ProcessRun, []app.WaitingJob, error) {
	started, left, err := s.ClusterStore.StartJobs(ctx, request)
	if len(started) > 0 {
		(<-s.stops)()
	}
	return started, left, err
}

func TestStop_RequeuesRunsFetchedMeanwhile(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("test"))
	stopping := &stoppingStore{ClusterStore: store, stops: make(chan func(), 1)}
	engine.Store = stopping
	engine.DrainTimeout = patience
	stop, stopped := start(t, engine)
	stopping.stops <- stop
	id := create(t, store, "test", 1)
	receive(t, stopped, "the node to stop")
	run := read(t, store, id)
	if run.Status != app.Created || run.Attempt != 0 || run.Crashes != 0 || run.FencingToken != 1 {
		t.Errorf("the run is %+v", run)
	}
	if len(g.working) > 0 {
		t.Error("its work has begun")
	}
}

func TestStop_CancelsDuringTheDrain(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("test"))
	engine.DrainTimeout = patience
	stop, stopped := start(t, engine)
	first, second := create(t, store, "test", 1), create(t, store, "test", 1)
	receive(t, g.working, "the first run")
	receive(t, g.working, "the second run")
	stop()
	for _, run := range []int64{first, second} { // the second one after the first has ended
		if _, err := store.Cancel(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		waitForStatus(t, store, run, app.Cancelled)
	}
	receive(t, stopped, "the node to stop")
}

func TestStop_HardStopDoesNotWait(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	working, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	engine := newEngine(store, jobs.Kind{Name: "stubborn", Work: func(context.Context, *jobs.Run) error {
		close(working)
		<-release
		return nil
	}})
	engine.DrainTimeout = patience
	hardStop, stopHard := context.WithCancel(context.Background())
	_, stopped := startUntil(t, engine, hardStop)
	id := create(t, store, "stubborn", 1)
	receive(t, working, "the work")
	stopHard()
	receive(t, stopped, "the node to stop")
	if run := read(t, store, id); run.Status != app.Created || run.Crashes != 0 {
		t.Errorf("the run is %+v", run)
	}
}

func TestQuarantine_SharesTheWorkers(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	first := create(t, store, "test", 1)
	crash(t, store, first, maxCrashes-1)
	engine := newEngine(store, g.kind("test"))
	engine.Workers = 1
	start(t, engine)
	wantOnly := func(run int64) {
		t.Helper()
		if working := receive(t, g.working, "work"); working.ID != run {
			t.Errorf("run %d is worked on, not %d", working.ID, run)
		}
	}
	wantOnly(first)
	normal := create(t, store, "test", 1)
	wantIdle(t, store, g)
	g.gate <- struct{}{}
	wantOnly(normal)
	quarantined := create(t, store, "test", 1)
	crash(t, store, quarantined, maxCrashes-1)
	wantIdle(t, store, g)
	g.gate <- struct{}{}
	wantOnly(quarantined)
	close(g.gate)
	waitForStatus(t, store, quarantined, app.Completed)
}

// wantIdle fails if the engine starts a run in the time that a bulk action takes, which has workers of its own.
func wantIdle(t *testing.T, store *postgres.Store, g *gated) {
	t.Helper()
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	waitForStatus(t, store, action.ID, app.Completed)
	if len(g.working) > 0 {
		t.Error("two runs are worked on at once")
	}
}
