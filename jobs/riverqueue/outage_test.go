package riverqueue_test

import (
	"context"
	"testing"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/jobs"
)

func TestADatabaseThatComesBackFindsItsNodesWaiting(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	store, g := openAt(t, cluster.URL()), newGated()
	working := create(t, store, "test", 1)
	cluster.Stop()
	start(t, newEngine(store, g.kind("test"))) // nobody is there yet
	cluster.Restart()
	await(t, g.working, "the work")
	cluster.Stop()
	close(g.gate) // now it has a result
	cluster.Restart()
	if run := becomes(t, store, working, app.Completed); run.Crashes != 0 || run.Claim != 1 {
		t.Errorf("the run is %+v", run)
	}
	becomes(t, store, created(t, store), app.Completed)
}

func TestANodeCanBeStoppedWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	store := openAt(t, cluster.URL())
	started := make(chan struct{})
	engine := newEngine(store, jobs.Kind{Name: "test", Work: func(ctx context.Context, _ app.ProcessRun, _ *jobs.Report) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	ask, stopped := start(t, engine)
	id := create(t, store, "test", 1)
	await(t, started, "the work")
	cluster.Stop()
	ask()
	await(t, stopped, "the node to stop")
	cluster.Restart()
	until(t, store, "the database to be back", func() bool { return store.Ready() == nil })
	lose(t, store, id) // nobody could write down that it is given back
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	becomes(t, store, id, app.Completed)
}

// failLate has River fail to start after it has begun to hand out runs: one of the queues that come after theirs cannot
// be had. In which order it takes the queues is left to chance, so it has to begin anew when theirs is the last of four.
const failLate = `
	CREATE SEQUENCE asked;
	CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('asked') % 4 = 0 AND NEW.name = 'runs' THEN
			RAISE 'theirs is the last';
		ELSIF NEW.name <> 'runs' AND EXISTS (SELECT FROM river_queue WHERE name = 'runs') THEN
			WHILE NOT EXISTS (SELECT FROM process_runs WHERE status = 1) LOOP PERFORM pg_sleep(0.01); END LOOP;
			RAISE 'the queue cannot be had';
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER fail_late BEFORE INSERT ON river_queue FOR EACH ROW EXECUTE FUNCTION fail_late()`

func TestANodeCanBeStoppedThatHasOnlyHalfStarted(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	define(t, store, failLate)
	ask, stopped := start(t, newEngine(store, g.kind("test")))
	id := create(t, store, "test", 1)
	await(t, g.working, "the work")
	ask()
	await(t, stopped, "the node to stop")
	if run := read(t, store, id); run.Status != app.Created || run.Crashes != 0 {
		t.Errorf("the run is %+v", run)
	}
	define(t, store, `DROP TRIGGER fail_late ON river_queue`)
	close(g.gate)
	start(t, newEngine(store, g.kind("test")))
	becomes(t, store, id, app.Completed)
}

func TestANodeThatHasOnlyHalfStartedHeedsPeople(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	define(t, store, failLate)
	id := create(t, store, "test", 1)
	engine := newEngine(store, g.kind("test"))
	engine.Store = &wishes{Shared: store, stopping: []int64{id}} // of which River does not tell
	start(t, engine)
	becomes(t, store, id, app.Cancelled)
}
