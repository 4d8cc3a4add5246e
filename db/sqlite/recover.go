package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// Recovery is what Open did with the runs that a crash had interrupted.
type Recovery struct {
	Requeued  int64 // returned to created
	Failed    int64 // after too many crashes
	Cancelled int64 // cancellation was requested before the crash
	// Repaired reports that the saved counts were wrong (Was) and have been corrected (Is).
	Repaired bool
	Was, Is  app.Counts
}

const (
	startedRuns = "SELECT " + query.Columns + " FROM process_runs WHERE status = 1"
	moveCount   = "UPDATE status_counts SET n = n + ?1 WHERE status = ?2"
)

// recoverRuns requeues, fails or cancels the runs that a crash left started, and repairs the counts and the
// scheduled times. Open calls it before any worker can start a run.
func recoverRuns(ctx context.Context, pool *sqlx.DB, options Options) (r Recovery, err error) {
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return r, errCorrupt(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	interrupted, err := query.ReadRuns(ctx, tx, startedRuns)
	if err != nil {
		return r, errCorrupt(err)
	}
	mended, err := repairCounts(ctx, tx, options.Path, len(interrupted)) // before the loop changes them
	if err != nil {
		return r, errCorrupt(err)
	}
	now := options.Now().UnixMilli()
	for _, run := range interrupted {
		after, _, err := app.Crash(run, options.MaxCrashes, query.FromMillis(now))
		if err != nil {
			return r, err
		}
		r.add(after.Status)
		err = saveRecovered(ctx, tx, run, after)
		if err == nil && options.searchable && after.Error != "" && !query.NeverSearched(after.Kind) {
			terms := strings.Join(query.Terms(after.ID, after.Error), " ")
			_, err = tx.ExecContext(ctx, indexText, indexRow(after.ID, query.ErrorPart), terms)
		}
		if err != nil {
			return r, fmt.Errorf("cannot be recovered: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, repairScheduled, now); err != nil {
		return r, errCorrupt(err)
	}
	if err := tx.Commit(); err != nil {
		return r, errCorrupt(err)
	}
	if mended != nil {
		r.Repaired, r.Was, r.Is = true, mended.was, mended.is
	}
	return r, nil
}

func (r *Recovery) add(status app.Status) {
	switch status {
	case app.Created:
		r.Requeued++
	case app.Failed:
		r.Failed++
	case app.Cancelled:
		r.Cancelled++
	}
}

// saveRecovered saves a run after a crash, with its failure group, its event and the counts. before is the
// run as it was read.
func saveRecovered(ctx context.Context, tx *sqlx.Tx, before, run app.ProcessRun) error {
	now := query.Millis(run.UpdatedAt)
	if run.Status == app.Failed {
		var err error
		run.Failure, err = query.NewFailed(run.Kind, run.Error).FindOrCreate(openingGroups{ctx, tx}, now)
		if err != nil {
			return err
		}
	}
	for _, change := range []struct {
		sql  string
		args []any
	}{
		{saveRun, saveRunArgs(run, before.Version)},
		{addEvent, []any{run.ID, run.Version, now, int64(run.Status), run.Attempt, app.NoteCrashed}},
		{dropOldEvent, []any{run.ID, app.MaxEvents}},
		{moveCount, []any{-1, int64(before.Status)}},
		{moveCount, []any{1, int64(run.Status)}},
	} {
		if _, err := tx.ExecContext(ctx, change.sql, change.args...); err != nil {
			return err
		}
	}
	return nil
}
