package postgres

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/query"
)

func TestProbe_DetectsFullDisk(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	execute(t, store, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON worker_kinds FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	_, err := store.db.ExecContext(ctx, probeRow)
	if !isUnavailable(err) {
		t.Fatalf("the disk is not full: %v", err)
	}
	store.setHealth(err)
	store.probe(ctx)
	if store.Ready() == nil {
		t.Error("it says that it can be used")
	}
	execute(t, store, `DROP TRIGGER full_disk ON worker_kinds`)
	store.probe(ctx)
	ok(t, store.Ready())
}

// While one table cannot grow, the probe of another one succeeds.
func TestReady_IsSteadyWhileOutageComesBack(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	full := &pgconn.PgError{Code: "53100"}
	store.setHealth(full)
	store.probe(ctx)
	ok(t, store.Ready())
	store.setHealth(full)
	store.probe(ctx)
	wantCode(t, store.Ready(), app.CodeUnavailable)
}

// When a node stops, it cancels reads. The database is not the reason, and the node must still deregister.
func TestHealth_CancelledReadIsNoOutage(t *testing.T) {
	t.Parallel()
	log := &logText{}
	store := newStore(t, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	cancelled, cancel := context.WithCancel(ctx)
	err := store.read(cancelled, func(ctx context.Context, q query.Queryer) error {
		cancel()
		var n int
		return query.Get(ctx, q, &n, "SELECT 1")
	})
	wantCode(t, err, app.CodeUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	ok(t, store.Ready())
	if text := log.String(); text != "" {
		t.Errorf("the log is %s", text)
	}
}

// The server reports a file that has reached the limit of its size as an internal error.
func TestHealth_FileLimitIsFullDisk(t *testing.T) {
	t.Parallel()
	const pageSize, walFile = 8 << 10, 16 << 20
	cluster := pgtest.Start(t)
	store := openStore(t, Options{URL: cluster.URL()})
	execute(t, store, "ALTER TABLE process_runs SET (fillfactor = 10, autovacuum_enabled = false)")
	execute(t, store, `INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token, error,
		created_at, updated_at, finished_at, job)
		SELECT nextval('process_run_ids'), 'filler', 2, 2, 1, 0, 1, '', 1, 1, 1, 0
			FROM generate_series(1, 12000)`)
	size := number(t, store, "SELECT pg_relation_size('process_runs')")
	cluster.LimitFiles(max(walFile, size) / pageSize * pageSize)
	var err error
	for err == nil {
		_, err = store.Create(ctx, app.CreateRequest{Kind: kind, Count: app.MaxCount})
	}
	wantCode(t, err, app.CodeUnavailable)
	if answer, is := errors.AsType[*pgconn.PgError](err); !is || answer.Code != "XX000" {
		t.Errorf("it failed for another reason: %v", err)
	}
	wantCode(t, store.Ready(), app.CodeUnavailable)
	cluster.NoLimit()
	until(t, "the store is ready", func() bool { return store.Ready() == nil })
	create(t, store, app.MaxCount)
}
