package sqlite

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	findFailure = `SELECT id FROM failures WHERE kind = ? AND pattern = ?`
	// max(id) - min(id) + 1 is an upper bound of the number of rows and costs two index probes. Ids are
	// assigned in ascending order, so the rows rarely have to be counted.
	addFailure = `INSERT INTO failures (kind, pattern, example, first_at, last_at) SELECT ?1, ?2, ?3, ?4, ?4
		WHERE ?5 OR (SELECT ifnull(max(id) - min(id) + 1, 0) FROM failures) < ?6 OR (SELECT COUNT(*) FROM failures) < ?6
		RETURNING id`
	dropFailures     = `DELETE FROM failures WHERE n = 0 AND last_at < ?`
	dropFailureHours = `DELETE FROM failure_hours WHERE hour < ?`
)

// failure returns the id of the failure group of a failed run, and adds the group if it is new. at is the
// time of the failure in milliseconds.
func (tx *transaction) failure(f query.Failed, at int64) (id int64, err error) {
	return f.Find(at, func(id *int64, args ...any) (bool, error) { return tx.find(tx.findFailure, id, args...) },
		func(id *int64, args ...any) (bool, error) { return tx.find(tx.addFailure, id, args...) })
}

// failureIn is transaction.failure for callers that run before the writer starts.
func failureIn(ctx context.Context, tx *sqlx.Tx, f query.Failed, at int64) (int64, error) {
	get := func(text string) func(id *int64, args ...any) (bool, error) {
		return func(id *int64, args ...any) (bool, error) { return query.Find(ctx, tx, id, text, args...) }
	}
	return f.Find(at, get(findFailure), get(addFailure))
}

// groupFailures assigns failure groups to the failed runs of a file that is older than the failures table. It
// does nothing if the table has rows.
func groupFailures(ctx context.Context, pool *sqlx.DB) error {
	const ungrouped = `SELECT id, kind, error, finished_at FROM process_runs
		WHERE status = 3 AND id > ? AND NOT EXISTS (SELECT 1 FROM failures) ORDER BY id LIMIT ?`
	var first []failedRow
	if err := pool.SelectContext(ctx, &first, ungrouped, 0, 1); err != nil || len(first) == 0 {
		return err
	}
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	const atOnce = 5000                  // runs in memory
	const next = `SELECT id, kind, error, finished_at FROM process_runs WHERE status = 3 AND id > ? ORDER BY id LIMIT ?`
	for last := int64(0); ; {
		var some []failedRow
		if err := tx.SelectContext(ctx, &some, next, last, atOnce); err != nil {
			return err
		}
		if len(some) == 0 {
			return tx.Commit()
		}
		for _, row := range some {
			id, err := failureIn(ctx, tx, query.NewFailed(row.Kind, row.Error), row.FinishedAt)
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE process_runs SET failure = ? WHERE id = ?", id, row.ID)
			}
			if err != nil {
				return err
			}
			last = row.ID
		}
	}
}

// failedRow holds the columns of a failed run that groupFailures reads.
type failedRow struct {
	ID         int64  `db:"id"`
	Kind       string `db:"kind"`
	Error      string `db:"error"`
	FinishedAt int64  `db:"finished_at"`
}

// pruneFailures deletes failure groups without runs and hours that pages no longer show.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.writer.do(ctx, func(tx *transaction) error {
		dayAgo := tx.now.Add(-app.FailureHours * time.Hour)
		if err := tx.exec(tx.dropFailures, dayAgo.UnixMilli()); err != nil {
			return err
		}
		return tx.exec(tx.dropFailureHours, query.HourOf(dayAgo))
	})
}
