package postgres

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestTick_NotifiesOfJobsThatNoNodeFetches(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]string{
		"a lost notification": "SELECT 1",
		"a scheduled job": `UPDATE river_job SET scheduled_at = now() + interval '1 second'
			WHERE state = 'available'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent := newStore(t, Options{})
			create(t, silent, 1)
			execute(t, silent, lost)
			kinds := func() []string { return []string{kind} }
			store := openStore(t, Options{URL: silent.options.URL, Kinds: kinds})
			notified, stop := store.JobsAdded(app.DefaultQueue).Subscribe() // from after the notification
			defer stop()
			startNotified(t, store, notified)
		})
	}
}

// A connection that breaks while it is idle is no outage.
func TestTick_ReplacesABrokenConnection(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{tickEvery: time.Hour})
	var conn tickConn
	defer conn.release()
	for range 3 {
		_, err := store.readServer(ctx, &conn)
		ok(t, err)
		pid := conn.conn.Conn().PgConn().PID()
		if n := number(t, store, "SELECT pg_terminate_backend($1, 10000)::int", pid); n != 1 {
			t.Fatal("the connection does not end")
		}
	}
	if err := store.Ready(); err != nil {
		t.Errorf("the store is not ready: %v", err)
	}
}

func TestTick_IgnoresJobsThatAreNotToBeFetched(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Kinds: func() []string { return []string{"other"} }})
	queues := func() []string {
		t.Helper()
		var conn tickConn
		defer conn.release()
		state, err := store.readServer(ctx, &conn)
		ok(t, err)
		return state.queues
	}
	create(t, store, 1)
	if got := queues(); len(got) > 0 {
		t.Errorf("with a job of another kind, the queues are %q", got)
	}
	store.options.Kinds = func() []string { return []string{kind} }
	if got := queues(); len(got) != 1 || got[0] != app.DefaultQueue {
		t.Errorf("with a job, the queues are %q", got)
	}
	execute(t, store, "UPDATE river_job SET scheduled_at = now() + interval '1 hour'")
	if got := queues(); len(got) > 0 {
		t.Errorf("with a job that is not due, the queues are %q", got)
	}
}

// Many jobs may wait while all workers are busy, and the server may know nothing of them.
func TestPlan_TickLooksAtOneJobOfAQueue(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		conn, err := store.db.Connx(ctx)
		ok(t, err)
		_, err = conn.ExecContext(ctx, "SET plan_cache_mode = "+mode)
		ok(t, err)
		var lines []string
		ok(t, conn.SelectContext(ctx, &lines, "EXPLAIN "+readServer, []string{app.DefaultQueue}, []string{kind}))
		ok(t, conn.Close())
		plan := strings.Join(lines, "\n")
		for _, wanted := range []string{"Limit", "AND (queue = name.name) AND"} {
			if !strings.Contains(plan, wanted) {
				t.Errorf("with %s, the plan has no %q:\n%s", mode, wanted, plan)
			}
		}
	}
}

func TestTick_LeavesTimeForWorkers(t *testing.T) {
	t.Parallel()
	if every := withDefaults(Options{}).tickEvery; every >= time.Second {
		t.Errorf("a job may wait for %v after a lost notification", every)
	}
}

// Planning takes longer than executing.
func TestPlan_TickIsPlannedOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Kinds: func() []string { return []string{kind, "other"} }})
	var conn tickConn
	defer conn.release()
	for range 12 {
		_, err := store.readServer(ctx, &conn)
		ok(t, err)
	}
	var custom int
	ok(t, conn.conn.QueryRow(ctx,
		`SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT server_millis(), %'`).Scan(&custom))
	if custom > 5 { // PostgreSQL begins with five
		t.Errorf("it was planned %d times", custom)
	}
}
