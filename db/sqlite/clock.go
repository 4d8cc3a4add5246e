package sqlite

import "runboard/db/query"

var rescheduleRuns = query.SQL(`UPDATE process_runs
	SET scheduled_at = ?1 + scheduled_at - updated_at, updated_at = ?1, version = version + 1
	WHERE status = :created AND scheduled_at > ?1 AND updated_at > ?1`)

// repairScheduled restarts the delay of created runs whose delay began in the future. The clock was set back,
// and otherwise they would wait longer by the difference.
func (tx *transaction) repairScheduled() error {
	n, err := tx.execChanged(rescheduleRuns, tx.now.UnixMilli())
	tx.changed = tx.changed || n > 0
	return err
}
