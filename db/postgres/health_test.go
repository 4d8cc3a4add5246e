package postgres

import "testing"

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
