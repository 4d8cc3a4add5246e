package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// The lock keeps the failure from being deleted until the run refers to it.
	findFailure = `SELECT id, coalesce(sums.last_at, first_at) AS last_at, coalesce(sums.n, 0) AS n,
			again_at, quiet_since
		FROM failure_patterns, LATERAL (SELECT max(last_at) AS last_at, sum(n)::bigint AS n
			FROM failure_counts WHERE failure = id) AS sums
		WHERE kind = $1 AND pattern = $2 FOR KEY SHARE OF failure_patterns`
	// IDs are ascending, so their range is a cheap upper bound and the rows are rarely counted.
	addFailure = `INSERT INTO failure_patterns (kind, pattern, example, first_at) SELECT $1, $2, $3, $4
		WHERE $5 = 0 OR (SELECT coalesce(max(id) - min(id) + 1, 0) FROM failure_patterns) < $5
			OR (SELECT count(*) FROM failure_patterns) < $5
		ON CONFLICT DO NOTHING RETURNING id`

	saveRecurrence = `UPDATE failure_patterns SET again_at = $1, quiet_since = $2 WHERE id = $3`
	setNote        = `UPDATE failure_patterns SET note = $1 WHERE id = $2 RETURNING true`
	setMute        = `UPDATE failure_patterns SET muted_until = $1 WHERE id = $2 RETURNING true`

	countFailures = `SELECT count(*) FROM failure_patterns`
	// Failures that another transaction is using are skipped.
	unusedFailures = `SELECT id FROM failure_patterns
		WHERE id IN (SELECT id FROM failures
			WHERE n = 0 AND note = '' AND muted_until <= $1 AND last_at < $2 ORDER BY id LIMIT 1000)
		FOR UPDATE SKIP LOCKED`
	dropFailures = `WITH dropped AS (DELETE FROM failure_patterns
			WHERE id IN (SELECT id FROM failures
				WHERE id = ANY ($1) AND n = 0 AND note = '' AND muted_until <= $2 AND last_at < $3)
			RETURNING id),
		counts AS (DELETE FROM failure_counts USING dropped WHERE failure = dropped.id)
		SELECT count(*) FROM dropped`
	dropFailureHours = `DELETE FROM failure_hour_counts WHERE hour < $1`
)

// FindGroup implements query.FailureGroups.
func (tx *transaction) FindGroup(kind, pattern string) (group query.Group, err error) {
	_, err = tx.Find(&group, findFailure, kind, pattern)
	return group, err
}

// AddGroup implements query.FailureGroups. If another transaction has created the group meanwhile, AddGroup
// returns that one.
func (tx *transaction) AddGroup(group query.NewGroup) (id int64, err error) {
	added, err := tx.Find(&id, addFailure, group.Kind, group.Pattern, group.Example, group.At, group.Max)
	if err != nil || added {
		return id, err
	}
	found, err := tx.FindGroup(group.Kind, group.Pattern)
	return found.ID, err
}

// SaveRecurrence implements query.FailureGroups.
func (tx *transaction) SaveRecurrence(id int64, recurrence app.Recurrence) error {
	return tx.Exec(saveRecurrence, query.Millis(recurrence.At), query.Millis(recurrence.QuietSince), id)
}

// AnnotateFailure implements app.Store.
func (s *Store) AnnotateFailure(ctx context.Context, id int64, note string) (app.Failure, error) {
	return s.changeFailure(ctx, id, setNote, note)
}

// MuteFailure implements app.Store.
func (s *Store) MuteFailure(ctx context.Context, id int64, until time.Time) (app.Failure, error) {
	return s.changeFailure(ctx, id, setMute, query.Millis(until))
}

// changeFailure executes a statement that sets a column of a failure group, and returns the group.
func (s *Store) changeFailure(ctx context.Context, id int64, set string, value any) (app.Failure, error) {
	err := s.write(ctx, func(tx *transaction) error {
		var changed bool
		_, err := tx.Find(&changed, set, value, id)
		if err == nil && !changed {
			err = query.NoFailure(id)
		}
		return err
	})
	if err != nil {
		return app.Failure{}, err
	}
	return s.Failure(ctx, id)
}

// pruneFailures deletes failure groups that have long been without runs, and hours that pages no longer show.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		var groups int64
		if _, err := tx.Find(&groups, countFailures); err != nil {
			return err
		}
		now, before := tx.now.UnixMilli(), query.FailuresExpireBefore(groups, tx.now).UnixMilli()
		var unused []int64
		if err := tx.SelectContext(tx.ctx, &unused, unusedFailures, now, before); err != nil {
			return err
		}
		if err := tx.Exec(dropFailures, unused, now, before); err != nil {
			return err
		}
		return tx.Exec(dropFailureHours, query.HourOf(tx.now.Add(-app.FailureHours*time.Hour)))
	})
}
