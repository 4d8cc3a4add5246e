package sqlite

import "runboard/app"

const (
	addEvent = `INSERT INTO run_events (run_id, version, at, status, attempt, note) VALUES (?, ?, ?, ?, ?, ?)`

	dropOldEvent = `DELETE FROM run_events WHERE run_id = ?1 AND version <=
		(SELECT version FROM run_events WHERE run_id = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)`
)

// appendEvent appends an event to the history of a run that has just changed.
func (tx *transaction) appendEvent(run app.ProcessRun, note string) error {
	err := tx.exec(tx.event, run.ID, run.Version, tx.now.UnixMilli(), int64(run.Status), run.Attempt, note)
	if err != nil {
		return err
	}
	return tx.dropOld(run.ID, run.Version)
}

// dropOld deletes the events of a run beyond the newest app.MaxEvents. version is the current one of the run.
func (tx *transaction) dropOld(run, version int64) error {
	if version <= app.MaxEvents {
		return nil
	}
	return tx.exec(tx.oldEvent, run, app.MaxEvents)
}
