package cluster_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/postgres"
	"runboard/jobs"
)

// openNodes opens the stores of n nodes on one new database.
func openNodes(t *testing.T, n int, heartbeat postgres.Heartbeat) (nodes []*postgres.Store) {
	t.Helper()
	return openNodesAt(t, migrated.Copy(t), n, heartbeat)
}

func openNodesAt(t *testing.T, address string, n int, heartbeat postgres.Heartbeat) (nodes []*postgres.Store) {
	t.Helper()
	o := options(address)
	o.Heartbeat = heartbeat
	return openWith(t, o, n)
}

func openWith(t *testing.T, o postgres.Options, n int) (nodes []*postgres.Store) {
	t.Helper()
	for range n {
		store, err := postgres.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, store)
	}
	return nodes
}

// lostSoon and stopsSoon are heartbeats that end fast enough for a test and that a busy machine can keep up.
var (
	lostSoon = postgres.Heartbeat{Every: 200 * time.Millisecond, StopAfter: 2 * time.Second,
		LostAfter: 3 * time.Second}
	stopsSoon = postgres.Heartbeat{Every: 200 * time.Millisecond, StopAfter: 2 * time.Second,
		LostAfter: patience}
)

// refuse makes the database reject the heartbeats of the nodes in table refused.
const refuse = `
	CREATE TABLE refused (node bigint);
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN IF NEW.id IN (SELECT node FROM refused) THEN RAISE 'refused'; END IF; RETURN NEW; END $$;
	CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION refuse()`

func TestEngine_StopsWithoutHeartbeat(t *testing.T) {
	t.Parallel()
	nodes := openNodes(t, 2, stopsSoon)
	store, other := nodes[0], nodes[1]
	working, stopped := make(chan struct{}, 100), make(chan error, 100)
	engine := newEngine(store, jobs.Kind{Name: "test", Work: func(ctx context.Context, _ *jobs.Run) error {
		working <- struct{}{}
		<-ctx.Done()
		stopped <- context.Cause(ctx)
		return ctx.Err()
	}})
	start(t, engine)
	id := create(t, store, "test", 1)
	receive(t, working, "the work")
	define(t, other, refuse)
	execute(t, other, `INSERT INTO refused VALUES ($1)`, store.Node())
	if cause := receive(t, stopped, "the work to stop"); !errors.Is(cause, app.ErrLeaseLost) {
		t.Errorf("it is stopped by %v", cause)
	}
	if run := waitForStatus(t, other, id, app.Created); run.Crashes != 0 || run.Attempt != 0 {
		t.Errorf("requeued, the run is %+v", run)
	}

	g := newGated()
	close(g.gate)
	start(t, newEngine(other, g.kind("test")))
	if run := waitForStatus(t, other, id, app.Completed); run.Crashes != 0 || run.FencingToken != 2 {
		t.Errorf("done by the other node, the run is %+v", run)
	}
	if len(working) > 0 {
		t.Error("the node that has no lease took a run")
	}
	execute(t, other, `DELETE FROM refused`)
	waitUntil(t, store, "the node to have a lease again", func() bool { _, err := store.Lease(); return err == nil })
	waitUntil(t, store, "the node to work again", func() bool {
		create(t, store, "test", 20) // the other node may be faster
		return len(working) > 0
	})
}

// A lost node cannot even requeue its run. The other node starts the run, and the late result of the
// lost node is dropped.
func TestEngine_RescuesRunsOfALostNode(t *testing.T) {
	t.Parallel()
	nodes := openNodes(t, 2, lostSoon)
	store, other := nodes[0], nodes[1]
	working, release := make(chan *jobs.Run, 1), make(chan struct{})
	engine := newEngine(store, jobs.Kind{Name: "deaf", Work: func(_ context.Context, run *jobs.Run) error {
		working <- run
		<-release
		return errBroken
	}})
	start(t, engine)
	id := create(t, store, "deaf", 1)
	first := receive(t, working, "the work")
	define(t, other, `CREATE FUNCTION fall_silent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'silent'; END $$`)
	define(t, other, `CREATE TRIGGER fall_silent BEFORE UPDATE ON process_runs FOR EACH ROW WHEN (NEW.status = 0 AND NEW.crashes = 0)
		EXECUTE FUNCTION fall_silent()`) // the node cannot requeue the run, either
	define(t, other, refuse)
	execute(t, other, `INSERT INTO refused VALUES ($1)`, store.Node())
	g := newGated()
	start(t, newEngine(other, g.kind("deaf")))
	if run := receive(t, g.working, "the other node").Row(); run.FencingToken != first.Row().FencingToken+1 ||
		run.Crashes != 1 {
		t.Errorf("the other node starts %+v", run)
	}
	close(release)
	define(t, other, `DROP TRIGGER fall_silent ON process_runs`)
	close(g.gate)
	waitForStatus(t, other, id, app.Completed)
}

// The runs are started, but the answer that says so does not reach the node.
func TestEngine_RescuesRunsWhoseStartWasNotAnswered(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.SetUnknownAfter(300 * time.Millisecond)
	id := create(t, store, "test", 1)
	lost, _, err := store.StartJobs(t.Context(), app.JobRequest{
		Queue: app.DefaultQueue, Kinds: []string{"test"}, Most: 10, Slots: 10,
	})
	if err != nil || len(lost) != 1 {
		t.Fatalf("the runs %v are started: %v", lost, err)
	}
	start(t, engine)
	if run := waitForStatus(t, store, id, app.Completed); run.Crashes != 1 || run.FencingToken != 2 {
		t.Errorf("the run is %+v", run)
	}
}

func TestEngine_RescuesABulkRun(t *testing.T) {
	t.Parallel()
	nodes := openNodes(t, 2, lostSoon)
	store, other := nodes[0], nodes[1]
	create(t, store, "elsewhere", 10)
	var actions []int64
	for range 2 {
		action, err := store.CreateBulkAction(t.Context(),
			app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
		if err == nil {
			_, err = store.Start(t.Context(), action)
		}
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, action.ID)
	}
	working, aside := actions[0], actions[1] // the second one is snoozed when its node is lost
	if err := store.Snooze(t.Context(), read(t, store, aside)); err != nil {
		t.Fatal(err)
	}
	define(t, other, refuse)
	execute(t, other, `INSERT INTO refused VALUES ($1)`, store.Node())
	waitUntil(t, other, "the node to be lost", func() bool {
		return query[int](t, other, `SELECT count(*) FROM nodes WHERE id = $1`, store.Node()) == 0
	})
	start(t, newEngine(other, jobs.Kind{Name: "test", Work: nothing}))
	for run, crashes := range map[int64]int{working: 1, aside: 0} {
		if run := waitForStatus(t, other, run, app.Completed); run.Crashes != crashes ||
			run.FencingToken != 1+int64(crashes) {
			t.Errorf("the action is %+v", run)
		}
	}
	waitForCount(t, other, 10, app.Cancelled)
}

// During an outage, no node can tell whether other nodes are alive. All nodes stop their work, and that
// does not count as a crash.
func TestEngine_RepeatsItsWorkAfterAnOutage(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	heartbeat := postgres.Heartbeat{Every: time.Second, StopAfter: 3 * time.Second,
		LostAfter: 5 * time.Second}
	nodes := openNodesAt(t, cluster.URL(), 2, heartbeat)
	working, stopped := make(chan *jobs.Run, 100), make(chan error, 100)
	var again atomic.Bool
	for _, store := range nodes {
		engine := newEngine(store, jobs.Kind{Name: "test",
			Work: func(ctx context.Context, run *jobs.Run) error {
				working <- run
				if again.Load() {
					return nil
				}
				<-ctx.Done()
				stopped <- context.Cause(ctx)
				return ctx.Err()
			}})
		engine.Workers = 3
		start(t, engine)
	}
	first := create(t, nodes[0], "test", 6)
	for range 6 {
		receive(t, working, "the work")
	}
	cluster.Stop()
	for range 6 {
		if cause := receive(t, stopped, "the work to stop"); !errors.Is(cause, app.ErrLeaseLost) {
			t.Errorf("it is stopped by %v", cause)
		}
	}
	again.Store(true)
	time.Sleep(heartbeat.LostAfter) // by the clock of the database, all nodes are lost
	cluster.Restart()
	for run := first; run < first+6; run++ {
		if run := waitForStatus(t, nodes[0], run, app.Completed); run.Crashes != 0 || run.FencingToken != 2 {
			t.Errorf("the run is %+v", run)
		}
	}
}
