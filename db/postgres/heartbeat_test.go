package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"runboard/app"
)

// quick is a heartbeat that a test can wait for, and that a busy machine can keep.
var quick = Heartbeat{Every: 200 * time.Millisecond, StopAfter: 2 * time.Second, LostAfter: 3 * time.Second}

// kill stops what a store does in the background, as if its node were killed.
func kill(store *Store) {
	store.stop()
	store.background.Wait()
}

// assignJob makes the job of a run look as if a node of an older version had fetched it.
func assignJob(t testing.TB, store *Store, run app.ProcessRun) {
	t.Helper()
	execute(t, store, `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY[$1::bigint::text]
		WHERE id = (SELECT job FROM process_runs WHERE id = $2)`, store.Node(), run.ID)
}

// A busy server may take longer to open a connection than from one heartbeat to the next.
func TestHeartbeat_AwaitsSlowConnection(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Heartbeat: Heartbeat{Every: time.Second}})
	config := store.Pool().Config().ConnConfig
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-time.After(3 * time.Second / 2):
			return dial(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	h := &heartbeater{store: store, config: config, seen: map[int64]otherNodeSeen{}}
	defer h.close()
	ok(t, h.step(ctx))
}

func TestHeartbeat_LostNodeIsRescuedOnce(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick, MaxConns: 5}
	gone := openStore(t, options)
	runs := create(t, gone, 12)
	before := make([]int64, len(runs))
	for i, run := range runs {
		assignJob(t, gone, run)
		before[i] = jobOf(t, gone, run.ID).ID
		if i < 6 { // the others were about to be started
			start(t, gone, run)
		}
	}
	asked, err := gone.Cancel(ctx, runs[5].ID)
	ok(t, err)
	var survivors []*Store
	for range 3 {
		survivors = append(survivors, openStore(t, options))
	}
	kill(gone)

	until(t, "all runs wait again", func() bool {
		return number(t, survivors[0],
			"SELECT count(*) FROM process_runs JOIN river_job ON river_job.id = job WHERE status = 0 AND state = 'available'") == 11
	})
	for i, run := range runs {
		got := get(t, survivors[0], run.ID)
		want := app.ProcessRun{Status: app.Created}
		if i < 6 {
			want.Crashes, want.FencingToken = 1, 1
		}
		if run.ID == asked.ID {
			want.Status = app.Cancelled
		}
		if got.Status != want.Status || got.Crashes != want.Crashes ||
			got.FencingToken != want.FencingToken || got.Attempt != 0 {
			t.Errorf("run %d is %+v", run.ID, got)
		}
		if n := number(t, survivors[0], "SELECT count(*) FROM river_job WHERE id = $1", before[i]); n != 0 {
			t.Errorf("the old job of run %d is still there", run.ID)
		}
	}
	if n := number(t, survivors[0], "SELECT count(*) FROM river_job WHERE state = 'running'"); n != 0 {
		t.Errorf("%d jobs are running", n)
	}
	if n := number(t, survivors[0], "SELECT count(*) FROM nodes"); n != 3 {
		t.Errorf("%d nodes are alive", n)
	}
	checkCounts(t, survivors[0])
}

// A survivor that dies between taking the node for lost and rescuing its runs leaves them to the next one.
func TestHeartbeat_NodeWithoutRowIsRescued(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	gone := openStore(t, options)
	run := start(t, gone, create(t, gone, 1)[0])
	kill(gone)
	execute(t, gone, "DELETE FROM nodes WHERE id = $1", gone.Node())
	survivor := openStore(t, options)
	until(t, "the run waits again", func() bool { return get(t, survivor, run.ID).Status == app.Created })
}

// A node that stops, or that another node has declared lost, may leave runs behind.
func TestHeartbeat_RescuesWhenANodeHasGone(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	kill(a)
	kill(b) // its first heartbeat may come late, and would add it again
	h := &heartbeater{store: a, config: a.Pool().Config().ConnConfig, seen: map[int64]otherNodeSeen{}}
	defer h.close()
	rescues := func() bool {
		t.Helper()
		ok(t, h.step(ctx))
		select {
		case <-a.rescuer.wake:
			return true
		default:
			return false
		}
	}
	for range 2 {
		if rescues() {
			t.Error("it looks for runs of lost nodes although none has gone")
		}
	}
	execute(t, a, "DELETE FROM nodes WHERE id = $1", b.Node())
	if !rescues() || rescues() {
		t.Error("it does not look once for runs of the node that has gone")
	}
}

func TestHeartbeat_KeepsRunsOfLiveNode(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	living, other := openStore(t, options), openStore(t, options)
	runs := create(t, living, 3)
	assignJob(t, living, runs[2])
	working := start(t, living, runs[0])
	aside := start(t, other, runs[1])
	ok(t, other.Snooze(ctx, aside))
	n, err := other.rescueLostNodes(ctx)
	if err != nil || n != 0 {
		t.Errorf("%d runs are rescued: %v", n, err)
	}
	wantCode(t, other.Rescue(ctx, working), app.CodeConflict)
	if n, err := other.rescueEach(ctx, []int64{working.ID}); err != nil || n != 0 {
		t.Errorf("%d runs without a job are rescued: %v", n, err)
	}
	for i, want := range []app.ProcessRun{working, aside, runs[2]} {
		if got := get(t, living, want.ID); got != want {
			t.Errorf("run %d is %+v", i, got)
		}
	}
	ok(t, living.Rescue(ctx, working)) // it knows best
}

func TestHeartbeat_ClosedNodeLeaves(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	a, b := openStore(t, options), openStore(t, options)
	ok(t, a.Close())
	if n := number(t, b, "SELECT count(*) FROM nodes WHERE id = $1", a.Node()); n != 0 {
		t.Error("it is still on the list")
	}
	if _, err := a.Lease(); err == nil {
		t.Error("it may work on runs")
	}
}

// refuseHeartbeats has the server refuse those of one node.
func refuseHeartbeats(t testing.TB, store *Store, node int64) {
	t.Helper()
	execute(t, store, `CREATE TABLE refused (node bigint)`)
	execute(t, store, `INSERT INTO refused VALUES ($1)`, node)
	execute(t, store, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF NEW.id IN (SELECT node FROM refused) THEN RAISE 'refused'; END IF; RETURN NEW; END $$`)
	execute(t, store, `CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION refuse()`)
}

func TestLease_EndsBeforeNodeCountsAsLost(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	store, other := openStore(t, options), openStore(t, options)
	lease, err := store.Lease()
	ok(t, err)
	refuseHeartbeats(t, other, store.Node())
	var once sync.Once
	lost := make(chan struct{})
	until(t, "the lease ends", func() bool {
		if number(t, other, "SELECT count(*) FROM nodes WHERE id = $1", store.Node()) == 0 {
			once.Do(func() { close(lost) })
		}
		return lease.Err() != nil
	})
	select {
	case <-lost:
		t.Error("the others were faster")
	default:
	}
	if cause := context.Cause(lease); !errors.Is(cause, app.ErrLeaseLost) {
		t.Errorf("it ends by %v", cause)
	}
	_, err = store.Lease()
	wantCode(t, err, app.CodeUnavailable)
	until(t, "the node is lost", func() bool {
		return number(t, other, "SELECT count(*) FROM nodes WHERE id = $1", store.Node()) == 0
	})

	execute(t, other, "DELETE FROM refused")
	until(t, "it has a lease again", func() bool { _, err := store.Lease(); return err == nil })
	if n := number(t, other, "SELECT count(*) FROM nodes WHERE id = $1", store.Node()); n != 1 {
		t.Errorf("it is %d times on the list", n)
	}
}

func TestLease_EndsWhenNodeWasDeclaredLost(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Heartbeat: Heartbeat{Every: 200 * time.Millisecond}})
	lease, err := store.Lease()
	ok(t, err)
	execute(t, store, "DELETE FROM nodes")
	until(t, "the lease ends", func() bool { return lease.Err() != nil })
	until(t, "it has another one", func() bool { _, err := store.Lease(); return err == nil })
}

// A process that was stopped, or a machine that was suspended, finds its lease over before it does anything
// else.
func TestLease_ExpiresDuringSuspend(t *testing.T) {
	t.Parallel()
	l := newLease(time.Minute)
	l.renew(uptime())
	before := l.current()
	l.renewed -= time.Minute // time has passed, and nothing has run meanwhile
	if l.current() != nil || before.Err() == nil {
		t.Error("Prune does not return")
	}
	l.renew(uptime())
	l.renewed -= time.Minute
	second := l.valid
	l.renew(uptime()) // the heartbeat comes first
	if second.Err() == nil || l.current() == nil {
		t.Error("work of before goes on under the new lease")
	}
	l.renew(uptime() - time.Minute) // the answer to a heartbeat that was sent before the sleep
	if l.current() != nil {
		t.Error("it begins when the answer comes")
	}
}

func TestHeartbeat_ClockChangeLosesNoNode(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	a, b := openStore(t, options), openStore(t, options)
	leases := map[*Store]context.Context{}
	for _, store := range []*Store{a, b} {
		lease, err := store.Lease()
		ok(t, err)
		leases[store] = lease
	}
	for _, hours := range []string{"+ 3600000", "- 7200000", "+ 7200000"} {
		execute(t, a, `CREATE OR REPLACE FUNCTION server_millis() RETURNS bigint LANGUAGE sql VOLATILE AS $$
			SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint `+hours+` $$`)
		time.Sleep(5 * quick.Every)
	}
	for store, lease := range leases {
		if lease.Err() != nil {
			t.Errorf("node %d has lost its lease", store.Node())
		}
		if n := number(t, a, "SELECT count(*) FROM nodes WHERE id = $1", store.Node()); n != 1 {
			t.Errorf("node %d was lost", store.Node())
		}
	}
}

// A clock that is set back after a node's last sign of life makes that look as if it were yet to come.
func TestHeartbeat_LostNodeWithFutureBeatIsFound(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	gone, survivor := openStore(t, options), openStore(t, options)
	run := start(t, gone, create(t, gone, 1)[0])
	kill(gone)
	execute(t, survivor, "UPDATE nodes SET seen_at = seen_at + 86400000 WHERE id = $1", gone.Node())
	until(t, "the run waits again", func() bool { return get(t, survivor, run.ID).Status == app.Created })
}

func TestStartedRuns_AreThoseOfTheNode(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	runs := create(t, a, 4)
	mine := start(t, a, runs[0])
	start(t, b, runs[1])
	ok(t, a.Finish(ctx, start(t, a, runs[2]), app.Outcome{Status: app.Completed}))
	ok(t, a.Snooze(ctx, start(t, a, runs[3])))
	got, err := a.StartedRuns(ctx)
	ok(t, err)
	if len(got) != 1 || got[0] != mine {
		t.Errorf("they are %+v", got)
	}
}

func TestIsLeader_IsTheOldestNodeThatWorks(t *testing.T) {
	t.Parallel()
	options := Options{URL: migrated.Copy(t), Heartbeat: quick}
	web := openStore(t, options)
	options.Workers = 1
	first, second := openStore(t, options), openStore(t, options)
	if web.IsLeader() || !first.IsLeader() || second.IsLeader() {
		t.Errorf("the leaders are %t, %t, %t", web.IsLeader(), first.IsLeader(), second.IsLeader())
	}
	for range 2 { // as before, when they have seen each other
		beat := func() int64 {
			return number(t, second, "SELECT seen_at FROM nodes WHERE id = $1", second.Node())
		}
		before := beat()
		until(t, "the second node sends a heartbeat", func() bool { return beat() != before })
	}
	if !first.IsLeader() || second.IsLeader() {
		t.Errorf("later the leaders are %t, %t", first.IsLeader(), second.IsLeader())
	}
	kill(first)
	until(t, "the second node leads", second.IsLeader)
	if web.IsLeader() {
		t.Error("a node that does not work leads")
	}
	refuseHeartbeats(t, second, second.Node())
	until(t, "it no longer leads", func() bool { return !second.IsLeader() })
}

// A node may be stopped in the middle of a transaction: the server ends that before others want the runs.
func TestHeartbeat_IdleTransactionEndsInTime(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	var limit string
	ok(t, store.db.GetContext(ctx, &limit, "SHOW idle_in_transaction_session_timeout"))
	most, err := time.ParseDuration(limit)
	if err != nil || most <= 0 || most >= store.options.Heartbeat.LostAfter {
		t.Errorf("it may be idle for %q: %v", limit, err)
	}
}

// All nodes of a machine that was suspended are silent when the first of them looks.
func TestHeartbeat_ResumedNodeWaitsForOthers(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{Heartbeat: quick})
	kill(a)
	kill(b)
	execute(t, a, "UPDATE nodes SET seen_at = 1 WHERE id = $1", b.Node())
	p := &heartbeater{store: a, config: a.pool.Config().ConnConfig, seen: map[int64]otherNodeSeen{}}
	defer p.close()
	isThere := func() bool { return number(t, a, "SELECT count(*) FROM nodes WHERE id = $1", b.Node()) == 1 }
	ok(t, p.step(ctx))
	p.checkedAt -= time.Hour
	p.seen[b.Node()] = otherNodeSeen{at: 1, since: p.checkedAt}
	ok(t, p.step(ctx))
	if !isThere() {
		t.Fatal("the other node is lost")
	}
	until(t, "the other node is lost", func() bool {
		p.setFailing(p.step(ctx)) // a step may fail on a busy machine
		return !isThere()
	})
}
