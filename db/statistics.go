package db

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// Statistics implements app.Store.
func (s *Store) Statistics(ctx context.Context) (stats app.Statistics, err error) {
	now := s.options.Now().UTC()
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		stats = app.Statistics{At: now.Truncate(time.Second)}
		if stats.Overview, err = s.readOverview(ctx, tx); err != nil {
			return err
		}
		if stats.Recent, err = readPeriod(ctx, tx, now, app.Period{Step: app.RecentStep}, app.RecentSpan); err != nil {
			return err
		}
		if stats.Day, err = readPeriod(ctx, tx, now, app.Period{Step: app.DayStep}, app.DaySpan); err != nil {
			return err
		}
		stats.Forecast, err = readForecast(ctx, tx, now, stats)
		return err
	})
	return stats, err
}

const readRollups = `SELECT at, kind, created, returned, started, completed, failed, cancelled, waits, works FROM rollups
	WHERE step = ? AND at >= ? AND at <= ?`

type rollupRow struct {
	app.Flow
	At           int64
	Kind         string
	Waits, Works []byte
}

// readPeriod reads what happened in the steps of a period that reaches so far back.
func readPeriod(ctx context.Context, tx *sqlx.Tx, now time.Time, period app.Period, span time.Duration) (app.Period, error) {
	period.From = now.Truncate(period.Step).Add(-span)
	period.Flows = make([]app.Flow, span/period.Step+1)
	rows, err := tx.QueryxContext(ctx, readRollups, period.Step.Milliseconds(), period.From.UnixMilli(), now.UnixMilli())
	if err != nil {
		return period, err
	}
	defer rows.Close()
	kinds := map[string]*rollup{}
	for rows.Next() {
		var row rollupRow
		if err := rows.StructScan(&row); err != nil {
			return period, err
		}
		step := fromMillis(row.At).Sub(period.From) / period.Step
		period.Flows[step] = period.Flows[step].Plus(row.Flow)
		if kinds[row.Kind] == nil {
			kinds[row.Kind] = &rollup{}
		}
		kinds[row.Kind].waits.merge(row.Waits)
		kinds[row.Kind].works.merge(row.Works)
	}
	period.Kinds = timesOf(kinds)
	return period, rows.Err()
}

// timesOf leaves out the kinds of which nothing was started or ended.
func timesOf(kinds map[string]*rollup) (times []app.KindTimes) {
	for kind, all := range kinds {
		one := app.KindTimes{Kind: kind, Waits: all.waits.quantiles(), Works: all.works.quantiles()}
		if one.Waits.Count+one.Works.Count > 0 {
			times = append(times, one)
		}
	}
	slices.SortFunc(times, func(a, b app.KindTimes) int { return strings.Compare(a.Kind, b.Kind) })
	return times
}

const oldestWaiting = `SELECT max(updated_at, due_at) FROM process_runs WHERE status = 0 ORDER BY id LIMIT 1`

func readForecast(ctx context.Context, tx *sqlx.Tx, now time.Time, stats app.Statistics) (app.Forecast, error) {
	load := app.Load{
		Waiting: max(0, stats.Counts[app.Created]-stats.Unserved.Runs()), Working: stats.Counts[app.Started],
		Uncounted: stats.Unserved.More(), Recent: stats.Recent,
	}
	if load.Waiting > 0 {
		var ready int64
		if err := tx.GetContext(ctx, &ready, oldestWaiting); err != nil {
			return app.Forecast{}, err
		}
		load.Oldest = now.Sub(fromMillis(ready))
	}
	return load.Forecast(), nil
}

// From kind to kind by the index, and then of those that nobody here works on as many runs as are counted: it takes a
// look for each kind that there has ever been, and none at their runs.
const unservedRuns = `WITH RECURSIVE kinds (kind) AS (
		SELECT min(kind) FROM process_runs
		UNION ALL
		SELECT (SELECT min(kind) FROM process_runs WHERE process_runs.kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL
	)
	SELECT kind, (SELECT COUNT(*) FROM (SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = 0 LIMIT ?2)) AS runs
		FROM kinds WHERE kind NOT IN (SELECT value FROM json_each(?1))
			AND EXISTS (SELECT 1 FROM process_runs WHERE process_runs.kind = kinds.kind AND status = 0)
		LIMIT ?3`

// readUnserved finds the waiting runs that nobody here will work on, when so many wait in all.
func (s *Store) readUnserved(ctx context.Context, tx *sqlx.Tx, waiting int64) (unserved app.UnservedKinds, err error) {
	if s.options.Kinds == nil || waiting == 0 {
		return unserved, nil
	}
	served, err := json.Marshal(s.options.Kinds)
	if err != nil {
		return unserved, err
	}
	var rows []struct {
		Kind string
		Runs int64
	}
	err = tx.SelectContext(ctx, &rows, unservedRuns, string(served), app.CountedUnserved+1, app.MaxUnserved)
	for i, row := range rows {
		unserved[i] = app.KindCount{Kind: row.Kind, Runs: min(row.Runs, app.CountedUnserved), More: row.Runs > app.CountedUnserved}
	}
	return unserved, err
}
