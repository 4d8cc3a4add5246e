package sqlite

import (
	"cmp"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	addEvent = `INSERT INTO run_events (run_id, version, at, status, attempt, note) VALUES (?, ?, ?, ?, ?, ?)`

	dropOldEvent = `DELETE FROM run_events WHERE run_id = ?1 AND version <=
		(SELECT version FROM run_events WHERE run_id = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)`
)

// update runs a statement that changes one run that is in a status, or none. It takes note of the change
// in the counts and in the run's events, with the note or else the run's error, and returns the run as
// it then is, or the zero run.
func (tx *transaction) update(from app.Status, note string, statement *sqlx.Stmt, args ...any) (app.ProcessRun, error) {
	var row query.Run
	found, err := tx.find(statement, &row, args...)
	if err != nil || !found {
		return app.ProcessRun{}, err
	}
	run := row.App()
	tx.counts[from]--
	tx.counts[run.Status]++
	tx.changed = true
	if run.Status == app.Created {
		tx.requeued++
		tx.enqueued++
	}
	if run.Status != app.Started { // of a start, whoever starts it knows how long it waited
		tx.recordStats(run, run.UpdatedAt.Sub(run.StartedAt))
	}
	if !run.CancelRequestedAt.IsZero() { // it has just been asked, or it has stopped
		if run.CancelRequested() {
			tx.cancelRequests++
		} else {
			tx.cancelRequests--
		}
	}
	return run, tx.appendEvent(run, cmp.Or(note, run.Error))
}

// tell adds an event to a run that has just changed.
func (tx *transaction) appendEvent(run app.ProcessRun, note string) error {
	err := tx.exec(tx.event, run.ID, run.Version, tx.now.UnixMilli(), int64(run.Status), run.Attempt, note)
	if err != nil {
		return err
	}
	return tx.dropOld(run.ID, run.Version)
}

// dropOld drops the oldest event of a run that has too many.
func (tx *transaction) dropOld(run, version int64) error {
	if version <= app.MaxEvents {
		return nil
	}
	return tx.exec(tx.oldEvent, run, app.MaxEvents)
}
