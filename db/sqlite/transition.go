package sqlite

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

const (
	findRun = `SELECT ` + query.Columns + ` FROM process_runs WHERE id = ?`

	// saveRun saves a run after a transition, unless its version has changed since it was read.
	saveRun = `UPDATE process_runs
		SET status = ?, version = ?, attempt = ?, crashes = ?, fencing_token = ?, error = ?,
			updated_at = ?, started_at = ?, finished_at = ?, scheduled_at = ?, cancel_requested_at = ?,
			percent = ?, message = ?, failure = ?
		WHERE id = ? AND version = ?`

	addEvent = `INSERT INTO run_events (run_id, version, at, status, attempt, note, log_offset)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	dropOldEvent = `DELETE FROM run_events WHERE run_id = ?1 AND version <=
		(SELECT version FROM run_events WHERE run_id = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)`
)

// Start implements app.WorkStore.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (app.ProcessRun, error) {
	started, err := s.change(ctx, run.ID, (*transaction).start)
	if app.CodeOf(err) == app.CodeNotFound {
		err = query.Conflict(run)
	}
	return started, err
}

func (tx *transaction) start(current app.ProcessRun) (app.ProcessRun, app.Event, error) {
	return app.Start(current, tx.time())
}

// Finish implements app.WorkStore.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	outcome.Error = query.Sanitize(outcome.Error)
	return s.changeAttempt(ctx, run, finishWith(outcome))
}

func finishWith(outcome app.Outcome) transition {
	return func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error) {
		return app.Finish(current, outcome, tx.time())
	}
}

// Requeue implements app.WorkStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	return s.changeAttempt(ctx, run, (*transaction).requeue)
}

func (tx *transaction) requeue(current app.ProcessRun) (app.ProcessRun, app.Event, error) {
	return app.Requeue(current, tx.time())
}

// transition is a function of the state machine, applied to a run as it is stored.
type transition func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error)

// changeAttempt applies a transition to the attempt of run. It fails with CodeConflict if a later attempt has
// begun.
func (s *Store) changeAttempt(ctx context.Context, run app.ProcessRun, apply transition) error {
	return s.write(ctx, func(tx *transaction) error { return tx.changeAttempt(run, apply) })
}

func (tx *transaction) changeAttempt(run app.ProcessRun, apply transition) error {
	current, found, err := tx.read(run.ID)
	if err != nil {
		return err
	}
	if !found || current.FencingToken != run.FencingToken {
		return query.Conflict(run)
	}
	_, err = tx.apply(current, apply)
	return err
}

// read returns a run as it is stored, and reports whether it exists.
func (tx *transaction) read(id int64) (run app.ProcessRun, found bool, err error) {
	var row query.Run
	found, err = tx.Find(&row, findRun, id)
	return row.App(), found, err
}

// apply applies a transition to a run that tx has read and saves the result, unless nothing changes. It
// returns the run after it.
func (tx *transaction) apply(current app.ProcessRun, apply transition) (app.ProcessRun, error) {
	run, event, err := apply(tx, current)
	if err != nil || run.Version == current.Version {
		return current, err
	}
	return run, tx.save(current, run, event.Note)
}

// save saves a changed run with its failure group, its event, its search terms, and the counts and statistics
// of the transaction.
func (tx *transaction) save(before, run app.ProcessRun, note string) (err error) {
	if run.Status == app.Failed {
		run.Failure, err = query.FailRun(tx, run)
		if err != nil {
			return err
		}
	}
	saved, err := tx.execChanged(saveRun, saveRunArgs(run, before.Version)...)
	if err != nil {
		return err
	}
	if saved == 0 {
		return query.Conflict(before)
	}
	tx.count(before, run)
	if run.Error != before.Error {
		if err := query.IndexError(tx, run); err != nil {
			return err
		}
	}
	logOffset, err := query.LogOffset(tx, before, run)
	if err != nil {
		return err
	}
	err = tx.Exec(addEvent, run.ID, run.Version, tx.now.UnixMilli(), run.Status, run.Attempt, note, logOffset)
	if err != nil {
		return err
	}
	return tx.dropOldEvents(run.ID, run.Version)
}

// saveRunArgs returns the arguments of saveRun. version is that of the run before the transition.
func saveRunArgs(run app.ProcessRun, version int64) []any {
	return []any{
		run.Status, run.Version, run.Attempt, run.Crashes, run.FencingToken, run.Error,
		query.Millis(run.UpdatedAt), query.Millis(run.StartedAt), query.Millis(run.FinishedAt),
		query.Millis(run.ScheduledAt), query.Millis(run.CancelRequestedAt),
		run.Percent, run.Message, run.Failure, run.ID, version,
	}
}

// dropOldEvents deletes the events of a run beyond the newest app.MaxEvents. version is that of the run.
func (tx *transaction) dropOldEvents(run, version int64) error {
	if version <= app.MaxEvents {
		return nil
	}
	return tx.Exec(dropOldEvent, run, app.MaxEvents)
}

// count adds a transition to the counts and statistics of the transaction.
func (tx *transaction) count(before, run app.ProcessRun) {
	tx.counts[before.Status]--
	tx.counts[run.Status]++
	tx.changed = true
	if run.Status == app.Created {
		tx.requeued++
		tx.enqueued++
	}
	if run.CancelRequested() && !before.CancelRequested() {
		tx.cancelRequests++
	}
	if before.CancelRequested() && !run.CancelRequested() {
		tx.cancelRequests--
	}
	switch {
	case run.Status != app.Started:
		tx.events = append(tx.events, query.NewStatsEvent(run, run.UpdatedAt.Sub(run.StartedAt)))
	case before.Status == app.Created:
		tx.events = append(tx.events, query.NewStatsEvent(run, tx.now.Sub(query.DueSince(before))))
	}
}
