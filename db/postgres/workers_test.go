package postgres

import (
	"testing"

	"runboard/app"
)

// workersOf returns the workers according to a store.
func workersOf(t *testing.T, store *Store) app.Workers {
	t.Helper()
	stats, err := store.Statistics(ctx, app.Last15Minutes)
	ok(t, err)
	return stats.Workers
}

func TestWorkers_AreThoseOfLiveNodes(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{Workers: 3})
	start(t, b, create(t, a, 2)[0])
	for _, store := range []*Store{a, b} {
		if got := workersOf(t, store); got != (app.Workers{Count: 6, Busy: 1}) {
			t.Errorf("the workers are %+v", got)
		}
	}
	ok(t, b.Close())
	if got := workersOf(t, a); got != (app.Workers{Count: 3, Busy: 1}) {
		t.Errorf("after a node has left, the workers are %+v", got)
	}
}

func TestWorkers_AreAnnouncedAgain(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Workers: 5, Heartbeat: quick})
	execute(t, store, "DELETE FROM nodes") // as if the others had declared it lost
	until(t, "the node has announced its workers again", func() bool {
		return workersOf(t, store).Count == 5
	})
}
