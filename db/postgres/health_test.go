package postgres

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"runboard/app"
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
