package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// Statistics implements app.Store.
func (b *Board) Statistics(ctx context.Context) (stats app.Statistics, err error) {
	now := b.Now().UTC()
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		stats = app.Statistics{At: now.Truncate(time.Second)}
		if stats.Overview, err = b.overview(ctx, from); err != nil {
			return err
		}
		if stats.Recent, err = readPeriod(ctx, from, now, app.Period{Step: app.RecentStep}, app.RecentSpan); err != nil {
			return err
		}
		if stats.Day, err = readPeriod(ctx, from, now, app.Period{Step: app.DayStep}, app.DaySpan); err != nil {
			return err
		}
		stats.Forecast, err = b.readForecast(ctx, from, now, stats)
		return err
	})
	return stats, err
}

// ReadRollups is the query for the rows of a step between two times, inclusive. Its arguments are in
// milliseconds.
const ReadRollups = `SELECT at, kind, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms FROM rollups
	WHERE step = ? AND at >= ? AND at <= ?`

// readPeriod returns a period with all steps from now-span until now.
func readPeriod(ctx context.Context, from Reader, now time.Time, period app.Period, span time.Duration) (app.Period, error) {
	period.From = now.Truncate(period.Step).Add(-span)
	period.Counters = make([]app.Counters, span/period.Step+1)
	kinds := map[string]*Rollup{}
	var row struct {
		app.Counters
		Times
		At   int64
		Kind string
	}
	err := each(ctx, from, &row, func() (bool, error) {
		step := FromMillis(row.At).Sub(period.From) / period.Step
		period.Counters[step] = period.Counters[step].Add(row.Counters)
		if kinds[row.Kind] == nil {
			kinds[row.Kind] = &Rollup{}
		}
		kinds[row.Kind].waits.merge(row.Waits)
		kinds[row.Kind].works.merge(row.Works)
		return true, nil
	}, ReadRollups, period.Step.Milliseconds(), period.From.UnixMilli(), now.UnixMilli())
	period.Kinds = timesOf(kinds)
	return period, err
}

// timesOf returns the durations of each kind, sorted by kind. It omits kinds without starts and ends.
func timesOf(kinds map[string]*Rollup) (times []app.KindTimes) {
	for kind, all := range kinds {
		one := app.KindTimes{Kind: kind, QueueTime: all.waits.quantiles(), RunTime: all.works.quantiles()}
		if one.QueueTime.Count+one.RunTime.Count > 0 {
			times = append(times, one)
		}
	}
	slices.SortFunc(times, func(a, b app.KindTimes) int { return strings.Compare(a.Kind, b.Kind) })
	return times
}

func (b *Board) readForecast(ctx context.Context, from Reader, now time.Time, stats app.Statistics) (app.Forecast, error) {
	load := app.Load{
		Waiting: max(0, stats.Counts[app.Created]-stats.Unhandled.Runs()), Working: stats.Counts[app.Started],
		Uncounted: stats.Unhandled.More(), Recent: stats.Recent,
	}
	if load.Waiting > 0 {
		text, args := b.OldestWaiting()
		var since int64
		if _, err := Find(ctx, from, &since, text, args...); err != nil {
			return app.Forecast{}, err
		}
		load.Oldest = now.Sub(FromMillis(since))
	}
	return load.Forecast(), nil
}

// OldestWaiting returns the query for the time in milliseconds since when the oldest waiting run could have
// started.
func (d Dialect) OldestWaiting() (text string, args []any) {
	waiting := d.inStatus(app.Created)
	return waiting.text("CASE WHEN updated_at > scheduled_at THEN updated_at ELSE scheduled_at END", true), waiting.With(everywhere, 1)
}

// UnservedText returns the query for the kinds of waiting runs that are not in a given list, with their
// numbers of runs. It is a loose index scan: it costs one index probe for each kind that ever existed,
// whatever the number of their runs. Its arguments are the most runs to count of each kind, the JSONArray of
// the handled kinds, and the most kinds to return.
func (d Dialect) UnservedText() string {
	return `WITH RECURSIVE kinds (kind) AS (
		SELECT min(kind) FROM process_runs
		UNION ALL
		SELECT (SELECT min(kind) FROM process_runs WHERE process_runs.kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL
	)
	SELECT kind, (SELECT COUNT(*) FROM (SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = 0 LIMIT ?) AS counted) AS runs
		FROM kinds WHERE kind NOT IN ` + d.Words + `
			AND EXISTS (SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = 0)
		LIMIT ?`
}

// unserved returns the kinds of waiting runs that no worker handles. waiting is the number of all waiting
// runs: at 0 it reads nothing.
func (b *Board) unserved(ctx context.Context, from Reader, waiting int64) (unserved app.UnhandledKinds, err error) {
	if waiting == 0 {
		return unserved, nil
	}
	served, err := b.Served(ctx, from)
	if err != nil || served == nil {
		return unserved, err
	}
	kinds, err := JSONArray(served)
	if err != nil {
		return unserved, err
	}
	var found []struct {
		Kind string
		Runs int64
	}
	err = Select(ctx, from, &found, b.UnservedText(), app.CountedUnhandled+1, kinds, app.MaxUnhandled)
	for i, row := range found {
		unserved[i] = app.KindCount{Kind: row.Kind, Runs: min(row.Runs, app.CountedUnhandled), More: row.Runs > app.CountedUnhandled}
	}
	return unserved, err
}
