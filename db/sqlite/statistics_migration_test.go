package sqlite

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"runboard/app"
	"runboard/db/dbtest"
	"runboard/db/query"
)

// rollupsOfADay inserts two rows of statistics as they were when there were no others: of an hour ago, and of
// twelve hours before that.
const rollupsOfADay = `INSERT INTO rollups VALUES
	(600000, %[1]d, 'a', 0, 5, 0, 3, 2, 1, 0, x'0503', x'0703'),
	(600000, %[1]d - 43200000, 'a', 0, 1, 0, 1, 0, 0, 1, x'0501', x'')`

// fileOfVersion creates a file with an older schema.
func fileOfVersion(t *testing.T, version int64) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "runs.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := sqlx.Open(sqliteDriver, writerDSN(path, "normal"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool.DB, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMigration_LongSpansBeginWithWhatIsKnown(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	hourAgo := clock.Now().Add(-time.Hour).Truncate(app.Last24Hours.Step())
	options := Options{Path: fileOfVersion(t, 4), Now: clock.Now}
	change(t, options.Path, fmt.Sprintf(rollupsOfADay, hourAgo.UnixMilli()))

	store := openStore(t, options)
	for _, lookback := range app.Lookbacks()[1:] {
		stats, err := store.Statistics(ctx, lookback)
		if err != nil {
			t.Fatal(err)
		}
		period := stats.Period
		if period.Total != (app.Counters{Created: 6, Started: 4, Completed: 2, Failed: 1, Cancelled: 1}) ||
			period.QueueTime.Count != 4 || period.RunTime.Count != 3 || len(period.Kinds) != 1 {
			t.Errorf("%s has %+v", lookback, period.Summary)
		}
		if want := hourAgo.Add(-12 * time.Hour); !period.Since.Equal(want) {
			t.Errorf("%s is known since %s and not %s", lookback, period.Since, want)
		}
		if then := hourAgo.Sub(period.From) / lookback.Step(); period.Counters[then].Failed != 1 {
			t.Errorf("step %d of %s has %+v", then, lookback, period.Counters[then])
		}
		if last := len(period.Waiting) - 1; period.Waiting[last] != 0 || period.Waiting[last-1] != -1 {
			t.Errorf("in %s %v were waiting", lookback, period.Waiting)
		}
	}
	create(t, store, 7)
	until(t, "what comes later is added", func() bool {
		stats, err := store.Statistics(ctx, app.Last30Days)
		return err == nil && stats.Period.Total.Created == 13
	})
}

// How many runs waited is known for a whole lookback only if the last sample before it is.
func TestRollups_KeepNewestExpiredSample(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	store := newStore(t, Options{Now: clock.Now})
	samples := func(lookback app.Lookback) (found []int64) {
		t.Helper()
		const text = "SELECT waiting FROM waiting_samples WHERE step = ? ORDER BY at"
		step := lookback.Step().Milliseconds()
		if err := store.readers[app.ForPages].Select(&found, text, step); err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, want := range [][]int64{{1}, {1, 2}, {2, 3}, {3, 4}} {
		create(t, store, 1)
		until(t, "the new sample is there, and the old ones are gone", func() bool {
			return slices.Equal(samples(app.Last7Days), want) &&
				slices.Equal(samples(app.Last15Minutes), want)
		})
		clock.Advance(17 * 24 * time.Hour)
	}
	stats, err := store.Statistics(ctx, app.Last7Days)
	if err != nil || stats.Period.Waiting[0] != 4 {
		t.Errorf("%v were waiting: %v", stats.Period.Waiting, err)
	}
}

func TestPlan_SamplesUsePrimaryKey(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for text, args := range map[string][]any{
		query.WaitingSamplesSQL: {1, 2, 3}, query.FirstWaitingSQL: {1, 2}, dropSamples: {1, 2},
	} {
		got := plan(t, store, text, args...)
		if !strings.Contains(got, "SEARCH waiting_samples USING PRIMARY KEY") ||
			strings.Contains(got, "SCAN") ||
			strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("the plan is: %s", got)
		}
	}
	got := plan(t, store, query.OldestRollupSQL, 1)
	if !strings.Contains(got, "SEARCH rollups USING PRIMARY KEY (step=?)") ||
		strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("the plan is: %s", got)
	}
	got = plan(t, store, dialect.StartedOfKindsSQL(), `["a"]`)
	if !strings.Contains(got, "process_runs_by_kind (kind=? AND status=?)") {
		t.Errorf("the plan is: %s", got)
	}
}
