package sqlite

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	findFailure = `SELECT id FROM failures WHERE kind = ? AND pattern = ?`
	// max(id) - min(id) + 1 is an upper bound of the number of rows and costs two index probes. Ids are
	// assigned in ascending order, so the rows rarely have to be counted.
	addFailure = `INSERT INTO failures (kind, pattern, example, first_at, last_at) SELECT ?1, ?2, ?3, ?4, ?4
		WHERE ?5 = 0 OR (SELECT coalesce(max(id) - min(id) + 1, 0) FROM failures) < ?5
			OR (SELECT COUNT(*) FROM failures) < ?5
		RETURNING id`
	dropFailures     = `DELETE FROM failures WHERE n = 0 AND last_at < ?`
	dropFailureHours = `DELETE FROM failure_hours WHERE hour < ?`
)

// FindGroup implements query.FailureGroups.
func (tx *transaction) FindGroup(kind, pattern string) (id int64, err error) {
	_, err = tx.Find(&id, findFailure, kind, pattern)
	return id, err
}

// AddGroup implements query.FailureGroups.
func (tx *transaction) AddGroup(group query.NewGroup) (id int64, err error) {
	_, err = tx.Find(&id, addFailure, group.Kind, group.Pattern, group.Example, group.At, group.Max)
	return id, err
}

// pruneFailures deletes failure groups without runs and hours that pages no longer show.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		dayAgo := tx.now.Add(-app.FailureHours * time.Hour)
		if err := tx.Exec(dropFailures, dayAgo.UnixMilli()); err != nil {
			return err
		}
		return tx.Exec(dropFailureHours, query.HourOf(dayAgo))
	})
}
