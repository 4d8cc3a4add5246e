package postgres

import (
	"slices"
	"testing"

	"runboard/app"
	"runboard/db/dbtest"
)

func TestMigration_LongSpansBeginWithWhatIsKnown(t *testing.T) {
	t.Parallel()
	address := migratedTo(t, 5)
	clock := dbtest.NewClock()
	at := clock.Now().Truncate(app.Last24Hours.Step())
	const row = `INSERT INTO rollups VALUES (600000, $1, 'a', $2, 5, 0, 3, 2, 1, 0, '\x0503', '\x0703')`
	for node := range 2 {
		through(t, address, row, at.UnixMilli(), node)
	}

	store := openStore(t, Options{URL: address, Now: clock.Now})
	for _, lookback := range app.Lookbacks()[1:] {
		stats, err := store.Statistics(ctx, lookback)
		ok(t, err)
		period := stats.Period
		if period.Total != (app.Counters{Created: 10, Started: 6, Completed: 4, Failed: 2}) ||
			period.QueueTime.Count != 6 || period.RunTime.Count != 6 || !period.Since.Equal(at) {
			t.Errorf("%s has %+v since %s", lookback, period.Summary, period.Since)
		}
	}
}

// All nodes sample the same number, so the last one counts.
func TestWaitingSamples_AreOfAllNodes(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	a, b := newStores(t, Options{Now: clock.Now})
	runs := create(t, a, 4)
	for _, run := range runs[:3] {
		_, err := b.Cancel(ctx, run.ID)
		ok(t, err)
	}
	until(t, "all is added up", func() bool {
		stats, err := a.Statistics(ctx, app.Last15Minutes)
		ok(t, err)
		return stats.Period.Total == app.Counters{Created: 4, Cancelled: 3}
	})
	clock.Advance(2 * app.Last15Minutes.Step())
	stats, err := a.Statistics(ctx, app.Last15Minutes)
	ok(t, err)
	waiting := stats.Period.Waiting
	if got := waiting[len(waiting)-2:]; !slices.Equal(got, []int64{1, 1}) {
		t.Errorf("%v were waiting", waiting)
	}
}
