package sqlite

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	findFailure = `SELECT id, last_at, n, again_at, quiet_since FROM failures WHERE kind = ? AND pattern = ?`
	// max(id) - min(id) + 1 is an upper bound of the number of rows and costs two index probes. Ids are
	// assigned in ascending order, so the rows rarely have to be counted.
	addFailure = `INSERT INTO failures (kind, pattern, example, first_at, last_at) SELECT ?1, ?2, ?3, ?4, ?4
		WHERE ?5 = 0 OR (SELECT coalesce(max(id) - min(id) + 1, 0) FROM failures) < ?5
			OR (SELECT COUNT(*) FROM failures) < ?5
		RETURNING id`
	saveRecurrence = `UPDATE failures SET again_at = ?, quiet_since = ? WHERE id = ?`
	setNote        = `UPDATE failures SET note = ? WHERE id = ?`
	setMute        = `UPDATE failures SET muted_until = ? WHERE id = ?`

	countFailures = `SELECT COUNT(*) FROM failures`
	dropFailures  = `DELETE FROM failures
		WHERE n = 0 AND note = '' AND muted_until <= ? AND last_at < ?`
	dropFailureHours = `DELETE FROM failure_hours WHERE hour < ?`
)

// FindGroup implements query.FailureGroups.
func (tx *transaction) FindGroup(kind, pattern string) (group query.Group, err error) {
	_, err = tx.Find(&group, findFailure, kind, pattern)
	return group, err
}

// AddGroup implements query.FailureGroups.
func (tx *transaction) AddGroup(group query.NewGroup) (id int64, err error) {
	_, err = tx.Find(&id, addFailure, group.Kind, group.Pattern, group.Example, group.At, group.Max)
	return id, err
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
		changed, err := tx.execChanged(set, value, id)
		if err == nil && changed == 0 {
			err = query.NoFailure(id)
		}
		tx.changed = tx.changed || changed > 0
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
		var groups int64
		if _, err := tx.Find(&groups, countFailures); err != nil {
			return err
		}
		before := query.FailuresExpireBefore(groups, tx.now)
		if err := tx.Exec(dropFailures, tx.now.UnixMilli(), before.UnixMilli()); err != nil {
			return err
		}
		return tx.Exec(dropFailureHours, query.HourOf(tx.now.Add(-app.FailureHours*time.Hour)))
	})
}
