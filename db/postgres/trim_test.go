package postgres

import (
	"strings"
	"testing"

	"runboard/app"
)

// Several nodes write, and each change of a log must be counted once.
func TestLogSizes_MatchLogs(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{LogLimit: 40 << 10, MaxLogBytes: 200 << 10})
	var runs []app.ProcessRun
	for i, run := range create(t, a, 12) {
		store := []*Store{a, b}[i%2]
		run = start(t, store, run)
		for range 3 * i {
			ok(t, store.SaveProgress(ctx, run,
				app.ProgressUpdate{Lines: []app.LogLine{{Text: strings.Repeat("x", 4000) + "\n"}}}))
		}
		if i%3 > 0 {
			ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}))
		}
		runs = append(runs, run)
	}
	ok(t, a.Delete(ctx, runs[4].ID))
	n, err := b.TrimLogs(ctx)
	if err != nil || n == 0 {
		t.Errorf("%d logs are dropped: %v", n, err)
	}
	var wrong, all int64
	ok(t, a.db.Get(&wrong, `SELECT COUNT(*) FROM (SELECT run_id, sum(stop - start) AS bytes FROM run_logs GROUP BY run_id) AS counted
		FULL JOIN log_sizes USING (run_id) WHERE counted.bytes IS DISTINCT FROM log_sizes.bytes`))
	ok(t, a.db.Get(&all, "SELECT sum(stop - start) FROM run_logs"))
	if wrong != 0 || all > 200<<10 {
		t.Errorf("the sizes of %d logs are wrong, and all together have %d bytes", wrong, all)
	}
}
