package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Recovery is what was done with the runs that a crash had interrupted.
type Recovery struct {
	GivenBack int64 // created again
	Failed    int64 // interrupted too often
}

// Interrupted runs that have used up their crashes fail; the others are given back, and the
// attempt that was interrupted does not count.
const (
	failCrashed = `UPDATE process_runs
		SET status = 3, version = version + 1, crashes = crashes + 1, updated_at = ?1, finished_at = ?1,
			error = 'crashed: the process died ' || (crashes + 1) || ' times during this run'
		WHERE status = 1 AND status <> 2 AND crashes + 1 >= ?2`
	giveBackCrashed = `UPDATE process_runs
		SET status = 0, version = version + 1, crashes = crashes + 1, attempt = attempt - 1, updated_at = ?1
		WHERE status = 1 AND status <> 2`
	moveCounts = `UPDATE status_counts SET n = CASE status WHEN 0 THEN n + ?1 WHEN 3 THEN n + ?2 ELSE n - ?1 - ?2 END
		WHERE status IN (0, 1, 3)`
)

// recoverRuns deals with runs that are started although nobody works on them. It must come before
// anybody starts any.
func recoverRuns(ctx context.Context, pool *sqlx.DB, options Options) (r Recovery, err error) {
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return r, damaged(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	now := options.Now().UnixMilli()
	if r.Failed, err = rowsChanged(tx.ExecContext(ctx, failCrashed, now, options.MaxCrashes)); err != nil {
		return r, err
	}
	if r.GivenBack, err = rowsChanged(tx.ExecContext(ctx, giveBackCrashed, now)); err != nil {
		return r, err
	}
	if _, err := tx.ExecContext(ctx, moveCounts, r.GivenBack, r.Failed); err != nil {
		return r, damaged(err)
	}
	if err := tx.Commit(); err != nil {
		return r, damaged(err)
	}
	return r, nil
}

func rowsChanged(result interface{ RowsAffected() (int64, error) }, err error) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("cannot be recovered: %w", err)
	}
	return result.RowsAffected()
}
