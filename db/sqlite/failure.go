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
