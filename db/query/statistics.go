package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// Statistics implements app.Store.
func (r *Reader) Statistics(ctx context.Context) (stats app.Statistics, err error) {
	now := r.db.Now().UTC()
	err = r.read(ctx, func(s *snapshot) {
		stats = app.Statistics{At: now.Truncate(time.Second), Overview: s.overview()}
		stats.Recent = s.period(now, app.RecentStep, app.RecentSpan)
		stats.Day = s.period(now, app.DayStep, app.DaySpan)
		stats.Forecast = forecast(stats)
	})
	return stats, err
}

// RollupsSQL is the query for the rows of a step between two times, inclusive. Its arguments are in
// milliseconds.
const RollupsSQL = `SELECT at, kind, created, requeued, started, completed, failed, cancelled,
		queue_ms, run_ms
	FROM rollups WHERE step = ? AND at >= ? AND at <= ?`

// period returns a period with all steps from now-span until now.
func (s *snapshot) period(now time.Time, step, span time.Duration) app.Period {
	period := app.Period{
		Step: step, From: now.Truncate(step).Add(-span), Counters: make([]app.Counters, span/step+1),
	}
	var found []struct {
		app.Counters
		Times
		At   int64
		Kind string
	}
	s.all(&found, RollupsSQL, step.Milliseconds(), period.From.UnixMilli(), now.UnixMilli())
	kinds := map[string]*Rollup{}
	for _, row := range found {
		i := FromMillis(row.At).Sub(period.From) / step
		period.Counters[i] = period.Counters[i].Add(row.Counters)
		if kinds[row.Kind] == nil {
			kinds[row.Kind] = &Rollup{}
		}
		kinds[row.Kind].merge(row.Times)
	}
	period.Kinds = kindTimes(kinds)
	return period
}

// kindTimes returns the durations of each kind, sorted by kind. It omits kinds without starts and ends.
func kindTimes(kinds map[string]*Rollup) (times []app.KindTimes) {
	for kind, sum := range kinds {
		one := app.KindTimes{Kind: kind}
		one.QueueTime = sum.queueTime.quantiles()
		one.RunTime = sum.runTime.quantiles()
		if one.QueueTime.Count+one.RunTime.Count > 0 {
			times = append(times, one)
		}
	}
	slices.SortFunc(times, func(a, b app.KindTimes) int { return strings.Compare(a.Kind, b.Kind) })
	return times
}

// forecast returns how the number of waiting runs develops.
func forecast(stats app.Statistics) app.Forecast {
	load := app.Load{
		Waiting:   max(0, stats.Counts[app.Created]-stats.Unhandled.Runs()),
		Uncounted: stats.Unhandled.More(), Running: stats.Counts[app.Started], Recent: stats.Recent,
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
