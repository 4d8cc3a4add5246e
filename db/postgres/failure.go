package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// The lock keeps the failure from being deleted until the run refers to it.
	findFailure = `SELECT id FROM failure_patterns WHERE kind = $1 AND pattern = $2 FOR KEY SHARE`
	// IDs are ascending, so their range is a cheap upper bound and the rows are rarely counted.
	addFailure = `INSERT INTO failure_patterns (kind, pattern, example, first_at) SELECT $1, $2, $3, $4
		WHERE $5 OR (SELECT coalesce(max(id) - min(id) + 1, 0) FROM failure_patterns) < $6 OR (SELECT count(*) FROM failure_patterns) < $6
		ON CONFLICT DO NOTHING RETURNING id`

	// Failures that another transaction is using are skipped.
	unusedFailures = `SELECT id FROM failure_patterns WHERE id IN (SELECT id FROM failures WHERE n = 0 AND last_at < $1 ORDER BY id LIMIT 1000)
		FOR UPDATE SKIP LOCKED`
	dropFailures = `WITH dropped AS (DELETE FROM failure_patterns WHERE id IN (SELECT id FROM failures WHERE id = ANY ($1) AND n = 0 AND last_at < $2) RETURNING id),
		counts AS (DELETE FROM failure_counts USING dropped WHERE failure = dropped.id)
		SELECT count(*) FROM dropped`
	dropFailureHours = `DELETE FROM failure_hour_counts WHERE hour < $1`
)

// failure returns the ID of the failure group of a failed run, and creates the group if necessary. If another transaction
// has created it meanwhile, the second lookup finds it.
func (tx *transaction) failure(f query.Failed, at int64) (id int64, err error) {
	find := func(id *int64, args ...any) (bool, error) { return tx.find(id, findFailure, args...) }
	return f.Find(at, find, func(id *int64, args ...any) (bool, error) {
		if added, err := tx.find(id, addFailure, args...); err != nil || added {
			return added, err
		}
		return find(id, args[:2]...)
	})
}

// pruneFailures deletes the failure groups without runs, and the hourly counts that are no longer shown.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		dayAgo := tx.now.Add(-app.FailureHours * time.Hour)
		var unused []int64
		if err := tx.SelectContext(tx.ctx, &unused, unusedFailures, dayAgo.UnixMilli()); err != nil {
			return err
		}
		if err := tx.exec(dropFailures, unused, dayAgo.UnixMilli()); err != nil {
			return err
		}
		return tx.exec(dropFailureHours, query.HourOf(dayAgo))
	})
}
