package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// Recovery is what was done with the runs that a crash had interrupted.
type Recovery struct {
	Requeued  int64 // created again
	Failed    int64 // interrupted too often
	Cancelled int64 // cancellation was requested before the crash
	// Mended says that the number of runs in each status was wrong, and has been counted anew.
	Repaired bool
	Was, Is  app.Counts
}

const (
	startedRuns = "SELECT " + query.Columns + " FROM process_runs WHERE status = 1"
	recoverRun  = `UPDATE process_runs
		SET status = ?1, version = version + 1, crashes = crashes + 1, attempt = ?2, error = ?3, updated_at = ?4, finished_at = ?5,
			failure = ?7
		WHERE id = ?6`
	moveCount = "UPDATE status_counts SET n = n + ?1 WHERE status = ?2"
)

// recoverRuns deals with runs that are started although nobody works on them, and with counts that do not
// fit the runs. It must come before anybody starts any.
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
	mended, err := repairCounts(ctx, tx, options.Path, len(interrupted)) // first: what follows moves them
	if err != nil {
		return r, errCorrupt(err)
	}
	now := options.Now().UnixMilli()
	for _, run := range interrupted {
		after := query.AfterCrash(run, options.MaxCrashes)
		r.add(after.Status)
		err := writeRecovered(ctx, tx, after, now)
		if err == nil && options.searchable && after.Error != "" && !query.NeverSearched(after.Kind) {
			terms := strings.Join(query.Terms(after.ID, after.Error), " ")
			_, err = tx.ExecContext(ctx, indexText, indexRow(after.ID, query.ErrorPart), terms)
		}
		if err != nil {
			return r, fmt.Errorf("cannot be recovered: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, mendDue, now); err != nil {
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

func writeRecovered(ctx context.Context, tx *sqlx.Tx, run app.ProcessRun, now int64) error {
	finished, failure := int64(0), int64(0)
	if run.Status.Final() {
		finished = now
	}
	if run.Status == app.Failed {
		var err error
		if failure, err = failureIn(ctx, tx, query.NewFailed(run.Kind, run.Error), now); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		text string
		args []any
	}{
		{recoverRun, []any{int64(run.Status), run.Attempt, run.Error, now, finished, run.ID, failure}},
		{addEvent, []any{run.ID, run.Version, now, int64(run.Status), run.Attempt, query.NoteCrashed}},
		{dropOldEvent, []any{run.ID, app.MaxEvents}},
		{moveCount, []any{-1, int64(app.Started)}},
		{moveCount, []any{1, int64(run.Status)}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}
