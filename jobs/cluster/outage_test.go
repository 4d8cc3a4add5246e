package cluster_test

import (
	"context"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/jobs"
)

func TestOutage_NodeWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	store, g := openAt(t, cluster.URL()), newGated()
	working := create(t, store, "test", 1)
	cluster.Stop()
	start(t, newEngine(store, g.kind("test"))) // before the database is up
	cluster.Restart()
	receive(t, g.working, "the work")
	cluster.Stop()
	close(g.gate) // the result has to be saved
	cluster.Restart()
	if run := waitForStatus(t, store, working, app.Completed); run.Crashes != 0 || run.FencingToken != 1 {
		t.Errorf("the run is %+v", run)
	}
	waitForStatus(t, store, created(t, store), app.Completed)
}

func TestOutage_NodeCanBeStopped(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	store := openAt(t, cluster.URL())
	started := make(chan struct{})
	engine := newEngine(store, jobs.Kind{Name: "test", Work: func(ctx context.Context, _ *jobs.Run) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	stop, stopped := start(t, engine)
	id := create(t, store, "test", 1)
	receive(t, started, "the work")
	cluster.Stop()
	stop()
	receive(t, stopped, "the node to stop")
	cluster.Restart()
	waitUntil(t, store, "the database to be back", func() bool { return store.Ready() == nil })
	lose(t, store, id) // the stopping node could not requeue the run
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	waitForStatus(t, store, id, app.Completed)
}

// endLate makes the end of a run take longer than the node waits.
const endLate = `
	CREATE FUNCTION end_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
	CREATE TRIGGER end_late BEFORE UPDATE ON process_runs FOR EACH ROW WHEN (OLD.status = 1) EXECUTE FUNCTION end_late()`

func TestOutage_NodeGivesUp(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	define(t, store, endLate)
	stop, stopped := start(t, newEngine(store, g.kind("test")))
	create(t, store, "test", 1)
	receive(t, g.working, "the work")
	began := time.Now()
	stop()
	receive(t, stopped, "the node to stop")
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}
