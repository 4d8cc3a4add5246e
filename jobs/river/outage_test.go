package river_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/postgres"
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

// failLate makes River fail to start after it has begun to deliver jobs: it cannot create one of the
// queues after queue "runs". River creates the queues in random order, so creation also fails if "runs"
// is the last of four; River then starts again.
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

// ear is a log writer that signals when a line contains what.
type ear struct {
	what  string
	heard chan struct{}
}

func (e ear) Write(line []byte) (int, error) {
	if strings.Contains(string(line), e.what) {
		select {
		case e.heard <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// halfStart starts a node and returns when River has failed to start while the node works on a run.
func halfStart(t *testing.T, store *postgres.Store, g *gated) (run int64, stop func(), stopped <-chan struct{}) {
	t.Helper()
	define(t, store, failLate)
	failed := ear{"the queue cannot be had", make(chan struct{}, 1)}
	engine := newEngine(store, g.kind("test"))
	engine.Runs.Log = slog.New(slog.NewTextHandler(failed, nil))
	run = create(t, store, "test", 1)
	stop, stopped = start(t, engine)
	receive(t, failed.heard, "River to fail")
	receive(t, g.working, "the work")
	return run, stop, stopped
}

func TestOutage_HalfStartedNodeStops(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	id, stop, stopped := halfStart(t, store, g)
	stop()
	receive(t, stopped, "the node to stop")
	if run := read(t, store, id); run.Status != app.Created || run.Crashes != 0 {
		t.Errorf("the run is %+v", run)
	}
	define(t, store, `DROP TRIGGER fail_late ON river_queue`)
	close(g.gate)
	start(t, newEngine(store, g.kind("test")))
	waitForStatus(t, store, id, app.Completed)
}

func TestOutage_HalfStartedNodeCancels(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	define(t, store, failLate)
	id := create(t, store, "test", 1)
	engine := newEngine(store, g.kind("test"))
	// River does not notify of this request.
	unheard := &cancelStore{ClusterStore: store, stopping: []app.CancelRequest{{Run: id, FencingToken: 1}}}
	engine.Store, engine.Runs.Store = unheard, unheard
	start(t, engine)
	waitForStatus(t, store, id, app.Cancelled)
}

// endLate makes River's update of a finished job take longer than River waits.
const endLate = `
	CREATE FUNCTION end_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
	CREATE TRIGGER end_late BEFORE UPDATE ON river_job FOR EACH ROW WHEN (OLD.state = 'running') EXECUTE FUNCTION end_late()`

func TestOutage_HalfStartedNodeGivesUp(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	define(t, store, endLate)
	_, stop, stopped := halfStart(t, store, g)
	began := time.Now()
	stop()
	receive(t, stopped, "the node to stop")
	if took := time.Since(began); took > 30*time.Second { // River tries for 37 seconds, and once more
		t.Errorf("it took %v", took)
	}
	define(t, store, `DROP TRIGGER end_late ON river_job`)
	waitUntil(t, store, "River to have come to its end", func() bool {
		return query[int](t, store, `SELECT count(*) FROM river_job WHERE state = 'running'`) == 0
	})
}

// breaker is a tracer that closes the first connection that is about to listen to each topic.
type breaker struct{ broken sync.Map }

func (b *breaker) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "LISTEN") {
		if _, before := b.broken.LoadOrStore(data.SQL, true); !before {
			_ = conn.Close(ctx)
		}
	}
	return ctx
}

func (*breaker) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestOutage_BrokenListenersAreReplaced(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	config := store.Pool().Config()
	config.ConnConfig.Tracer = new(breaker)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Pool = pool
	quarantined := create(t, store, "test", 2)
	crash(t, store, quarantined, maxCrashes-1)
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := start(t, engine)
	for _, run := range []int64{quarantined, quarantined + 1, action.ID} { // one run of each queue
		waitForStatus(t, store, run, app.Completed)
	}
	waitUntil(t, store, "a chore to be done, which takes a leader", func() bool {
		return query[int](t, store, `SELECT count(*) FROM river_job WHERE kind = 'maintenance:rescue' AND state = 'completed'`) > 0
	})
	stop()
	receive(t, stopped, "the node to stop")
}
