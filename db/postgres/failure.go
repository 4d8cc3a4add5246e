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
		WHERE $5 = 0 OR (SELECT coalesce(max(id) - min(id) + 1, 0) FROM failure_patterns) < $5
			OR (SELECT count(*) FROM failure_patterns) < $5
		ON CONFLICT DO NOTHING RETURNING id`

	// Failures that another transaction is using are skipped.
	unusedFailures = `SELECT id FROM failure_patterns
		WHERE id IN (SELECT id FROM failures WHERE n = 0 AND last_at < $1 ORDER BY id LIMIT 1000)
		FOR UPDATE SKIP LOCKED`
	dropFailures = `WITH dropped AS (DELETE FROM failure_patterns
			WHERE id IN (SELECT id FROM failures WHERE id = ANY ($1) AND n = 0 AND last_at < $2)
			RETURNING id),
		counts AS (DELETE FROM failure_counts USING dropped WHERE failure = dropped.id)
		SELECT count(*) FROM dropped`
	dropFailureHours = `DELETE FROM failure_hour_counts WHERE hour < $1`
)

// FindGroup implements query.FailureGroups.
func (tx *transaction) FindGroup(kind, pattern string) (id int64, err error) {
	_, err = tx.Find(&id, findFailure, kind, pattern)
	return id, err
}

// AddGroup implements query.FailureGroups. If another transaction has created the group meanwhile, AddGroup
// returns that one.
func (tx *transaction) AddGroup(group query.NewGroup) (id int64, err error) {
	added, err := tx.Find(&id, addFailure, group.Kind, group.Pattern, group.Example, group.At, group.Max)
	if err != nil || added {
		return id, err
	}
	return tx.FindGroup(group.Kind, group.Pattern)
}

// pruneFailures deletes failure groups without runs and hours that pages no longer show.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		dayAgo := tx.now.Add(-app.FailureHours * time.Hour)
		var unused []int64
		if err := tx.SelectContext(tx.ctx, &unused, unusedFailures, dayAgo.UnixMilli()); err != nil {
			return err
		}
		if err := tx.Exec(dropFailures, unused, dayAgo.UnixMilli()); err != nil {
			return err
		}
		return tx.Exec(dropFailureHours, query.HourOf(dayAgo))
	})
}
