package query

import (
	"context"
	"time"

	"runboard/app"
)

// Statistics implements app.Store.
func (r *Reader) Statistics(ctx context.Context, lookback app.Lookback) (stats app.Statistics, err error) {
	now := r.db.Now().UTC()
	err = r.read(ctx, func(s *snapshot) {
		stats = app.Statistics{At: now.Truncate(time.Second), Overview: s.overview()}
		stats.Workers = s.workers(stats.Counts)
		recent := s.rollups(app.Last15Minutes, now)
		shown := recent
		stats.Recent = s.period(recent, now, stats.Counts)
		stats.Period = stats.Recent
		if lookback != app.Last15Minutes {
			shown = s.rollups(lookback, now)
			stats.Period = s.period(shown, now, stats.Counts)
		}
		stats.Before = s.before(shown)
		stats.Forecast = forecast(stats, recent.all.runTime.mean())
	})
	return stats, err
}

// RollupsSQL is the query for the rows of a step between two times, inclusive. Its arguments are in
// milliseconds.
const RollupsSQL = `SELECT at, kind, created, requeued, started, completed, failed, cancelled,
		queue_ms, run_ms
	FROM rollups WHERE step = ? AND at >= ? AND at <= ?`

// OldestRollupSQL is the query for the start of the oldest row of a step, both in milliseconds.
const OldestRollupSQL = `SELECT at FROM rollups WHERE step = ? ORDER BY at LIMIT 1`

// rollupRow is a row of RollupsSQL.
type rollupRow struct {
	app.Counters
	Times
	At   int64
	Kind string
}

// rollupsBetween returns the rows of a step between two times, inclusive.
func (s *snapshot) rollupsBetween(step time.Duration, from, to time.Time) (rows []rollupRow) {
	s.all(&rows, RollupsSQL, step.Milliseconds(), from.UnixMilli(), to.UnixMilli())
	return rows
}

// rollups reads the rows of a lookback that ends now.
func (s *snapshot) rollups(lookback app.Lookback, now time.Time) *lookbackRollups {
	sums := newLookbackRollups(lookback, now)
	for _, row := range s.rollupsBetween(lookback.Step(), sums.from, now) {
		sums.add(row)
	}
	return sums
}

// period returns the statistics of a lookback that ends now.
func (s *snapshot) period(sums *lookbackRollups, now time.Time, counts app.Counts) app.Period {
	period := sums.period()
	period.Since = s.since(sums.lookback)
	period.Waiting = s.waitingRuns(period, now, counts[app.Created])
	return period
}

// before sums up the time before a period, which is as long.
func (s *snapshot) before(shown *lookbackRollups) app.Summary {
	step := shown.lookback.Step()
	from, to := shown.from.Add(-shown.lookback.Length()), shown.from.Add(-step)
	var sum Rollup
	for _, row := range s.rollupsBetween(step, from, to) {
		sum.Counters = sum.Counters.Add(row.Counters)
		sum.merge(row.Times)
	}
	return sum.summary()
}

// since returns the start of the oldest row of a lookback's steps, or the zero time.
func (s *snapshot) since(lookback app.Lookback) time.Time {
	var at int64
	s.get(&at, OldestRollupSQL, lookback.Step().Milliseconds())
	return FromMillis(at)
}

// StartedOfKindsSQL returns the query for the number of started runs of a JSONArray of kinds.
func (d Dialect) StartedOfKindsSQL() string {
	return SQL("SELECT COUNT(*) FROM process_runs WHERE status = :started AND kind IN " + d.TextArray)
}

// workers returns the workers of all nodes and how many of them are busy. Bulk runs have other workers.
func (s *snapshot) workers(counts app.Counts) (workers app.Workers) {
	count, err := s.db.Workers(s.ctx, s.q)
	s.fail(err)
	workers.Count = count
	if counts[app.Started] == 0 {
		return workers
	}
	var bulk int64
	s.get(&bulk, s.dialect.StartedOfKindsSQL(), JSONArray(app.BulkKinds()))
	workers.Busy = max(0, counts[app.Started]-bulk)
	return workers
}

// forecast returns how the number of waiting runs develops. runTime is the mean run time of recent runs.
func forecast(stats app.Statistics, runTime time.Duration) app.Forecast {
	load := app.Load{
		Waiting:   max(0, stats.Counts[app.Created]-stats.Unhandled.Runs()),
		Uncounted: stats.Unhandled.More(), Running: stats.Counts[app.Started], Workers: stats.Workers.Count,
		Recent: stats.Recent, RunTime: runTime,
	}
	return load.Forecast()
}

// UnhandledSQL returns the query for the kinds of waiting runs that are not in a given list, with their
// numbers of runs. It is a loose index scan: it costs one index probe for each kind that ever existed,
// whatever the number of their runs. Its arguments are the most runs to count of each kind, the JSONArray of
// the handled kinds, and the most kinds to return.
func (d Dialect) UnhandledSQL() string {
	return SQL(`WITH RECURSIVE kinds (kind) AS (
		SELECT min(kind) FROM process_runs
		UNION ALL
		SELECT (SELECT min(kind) FROM process_runs WHERE process_runs.kind > kinds.kind)
			FROM kinds WHERE kinds.kind IS NOT NULL
	)
	SELECT kind, (SELECT COUNT(*) FROM (
			SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = :created LIMIT ?
		) AS counted) AS runs
		FROM kinds WHERE kind NOT IN ` + d.TextArray + `
			AND EXISTS (SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = :created)
		LIMIT ?`)
}

// unhandled returns the kinds of waiting runs that no worker handles. waiting is the number of all waiting
// runs: at 0 it reads nothing.
func (s *snapshot) unhandled(waiting int64) (kinds app.UnhandledKinds) {
	if waiting == 0 {
		return kinds
	}
	handled, err := s.db.HandledKinds(s.ctx, s.q)
	if s.fail(err); handled == nil {
		return kinds
	}
	const most = app.CountedUnhandled
	var found []struct {
		Kind string
		Runs int64
	}
	s.all(&found, s.dialect.UnhandledSQL(), most+1, JSONArray(handled), app.MaxUnhandled)
	for i, row := range found {
		kinds[i] = app.KindCount{Kind: row.Kind, Runs: min(row.Runs, most), More: row.Runs > most}
	}
	return kinds
}
