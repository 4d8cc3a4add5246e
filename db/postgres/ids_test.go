package postgres

import "testing"

// A session lock outlives the statement that got it, also when the statement is cancelled at the moment of
// the grant: then nothing could be created any more, on any node.
func TestTakeRunIDs_CancelledStatementLeavesNoLock(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{MaxConns: 4})
	holder, err := store.db.Connx(ctx)
	ok(t, err)
	defer func() { _ = holder.Close() }()
	waiter, err := store.db.Connx(ctx)
	ok(t, err)
	defer func() { _ = waiter.Close() }()
	var pid int
	ok(t, waiter.GetContext(ctx, &pid, "SELECT pg_backend_pid()"))
	const key = "'process_run_ids'::regclass::oid::bigint"
	cancelled := 0
	for range 100 {
		_, err := holder.ExecContext(ctx, "SELECT pg_advisory_lock("+key+")")
		ok(t, err)
		taken := make(chan error, 1)
		go func() {
			var first int64
			taken <- waiter.GetContext(ctx, &first, "SELECT allocate_run_ids(1)")
		}()
		until(t, "it waits", func() bool {
			return number(t, store,
				"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1 AND NOT granted", pid) == 1
		})
		_, err = holder.ExecContext(ctx, "SELECT pg_advisory_unlock("+key+"), pg_cancel_backend($1)", pid)
		ok(t, err)
		if <-taken != nil {
			cancelled++
		}
		if n := number(t, store, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1
			AND mode = 'ExclusiveLock'`, pid); n != 0 {
			t.Fatalf("it holds %d locks after %d of its statements were cancelled", n, cancelled)
		}
	}
	if cancelled == 0 {
		t.Error("no statement was cancelled, so this has tested nothing")
	}
	create(t, store, 3)
}
