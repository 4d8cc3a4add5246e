package postgres

import "testing"

// A node's own row is dropped after some days: then a write that finds none would say that all is well.
func TestANodeThatWasForgottenStillSeesThatTheDiskIsFull(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	execute(t, store, `DELETE FROM nodes`)
	execute(t, store, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	_, err := store.db.ExecContext(ctx, seen, store.node, 0)
	if !isFault(err) {
		t.Fatalf("the disk is not full: %v", err)
	}
	store.note(err)
	store.probe(ctx)
	if store.Ready() == nil {
		t.Error("it says that it can be used")
	}
	execute(t, store, `DROP TRIGGER full_disk ON nodes`)
	store.probe(ctx)
	ok(t, store.Ready())
	if n := number(t, store, `SELECT count(*) FROM nodes WHERE id = $1`, store.node); n != 1 {
		t.Errorf("it is there %d times", n)
	}
}
