package postgres

import (
	"testing"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// flowOf adds up what the store has written down of a day.
func flowOf(t testing.TB, store *Store) (flow app.Counters) {
	t.Helper()
	const text = `SELECT coalesce(sum(created), 0)::bigint AS created, coalesce(sum(started), 0)::bigint AS started FROM rollups WHERE step = $1`
	var sums struct{ Created, Started int64 }
	ok(t, store.db.GetContext(ctx, &sums, text, app.Last24Hours.Step().Milliseconds()))
	return app.Counters{Created: sums.Created, Started: sums.Started}
}

func TestRollups_AreKeptUntilTheyCanBeSaved(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Millisecond})
	kill(store) // so that nothing is saved but by this test
	execute(t, store, `CREATE FUNCTION refuse_rollup() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
		CREATE TRIGGER refuse_rollup BEFORE INSERT ON rollups FOR EACH ROW EXECUTE FUNCTION refuse_rollup()`)
	create(t, store, 3)
	store.saveRollups(ctx)
	create(t, store, 4)
	store.saveRollups(ctx)
	if got := flowOf(t, store); got != (app.Counters{}) {
		t.Errorf("refused, there is %+v", got)
	}
	execute(t, store, "DROP TRIGGER refuse_rollup ON rollups")
	store.saveLastRollups()
	if got := flowOf(t, store); got.Created != 7 {
		t.Errorf("in the end there is %+v", got)
	}
}

func TestRollups_LostAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Millisecond})
	kill(store)
	create(t, store, 3)
	time.Sleep(2 * time.Millisecond)
	var lost *query.Rollups
	store.rollups.unsaved.rollups = store.dueRollups()
	store.rollups.unsaved.number, lost = 1, store.rollups.unsaved.rollups
	store.saveRollups(ctx)
	store.rollups.unsaved.rollups = lost // as it is when the answer does not come
	store.saveRollups(ctx)
	if got := flowOf(t, store); got.Created != 3 {
		t.Errorf("there is %+v", got)
	}
	create(t, store, 4)
	store.saveLastRollups()
	if got := flowOf(t, store); got.Created != 7 {
		t.Errorf("in the end there is %+v", got)
	}
}
