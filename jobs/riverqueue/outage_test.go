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
