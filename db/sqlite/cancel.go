package sqlite

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

const (
	findRun = `SELECT ` + query.Columns + ` FROM process_runs WHERE id = ?`

	cancelRun = `UPDATE process_runs
		SET status = 4, version = version + 1, updated_at = ?1, finished_at = ?1, scheduled_at = 0
		WHERE id = ?2 AND status = 0
		RETURNING ` + query.Columns
	askToStop = `UPDATE process_runs
		SET cancel_requested_at = ?1, version = version + 1, updated_at = ?1
		WHERE id = ?2 AND status = 1 AND cancel_requested_at = 0
		RETURNING ` + query.Columns
	retryRun = `UPDATE process_runs
		SET status = 0, version = version + 1, attempt = 0, crashes = 0, error = '', updated_at = ?1,
			started_at = 0, finished_at = 0, scheduled_at = ?3, cancel_requested_at = 0, percent = -1, message = '', failure = 0
		WHERE id = ?2 AND status IN (3, 4)
		RETURNING ` + query.Columns
)

// Cancel implements app.Store.
func (s *Store) Cancel(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, func(tx *transaction, run app.ProcessRun) (app.ProcessRun, error) {
		return tx.cancelRun(run)
	})
}

func (tx *transaction) cancelRun(run app.ProcessRun) (app.ProcessRun, error) {
	switch {
	case run.Status == app.Created:
		return tx.update(app.Created, query.NoteCancelled, tx.cancel, tx.now.UnixMilli(), run.ID)
	case run.CancelRequested():
		return run, nil
	case run.Status == app.Started:
		return tx.update(app.Started, query.NoteAsked, tx.ask, tx.now.UnixMilli(), run.ID)
	}
	return run, query.ErrAlreadyFinal(run)
}

// Retry implements app.Store.
func (s *Store) Retry(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, func(tx *transaction, run app.ProcessRun) (app.ProcessRun, error) {
		return tx.retryRun(run, s.options.MaxPending)
	})
}

func (tx *transaction) retryRun(run app.ProcessRun, maxPending int64) (app.ProcessRun, error) {
	if err := query.CheckRetry(run); err != nil {
		return run, err
	}
	if err := tx.checkCapacity(1, maxPending); err != nil {
		return run, err
	}
	return tx.update(run.Status, query.NoteRetried, tx.retry, tx.now.UnixMilli(), run.ID, tx.scheduledAt(run.Kind))
}

// wish has the writer do what a person wishes for a run, and returns the run as it then is.
func (s *Store) runCommand(ctx context.Context, id int64, fulfil func(*transaction, app.ProcessRun) (app.ProcessRun, error)) (run app.ProcessRun, err error) {
	// run is the writer's until do succeeds: it may be set again.
	err = s.writer.do(ctx, func(tx *transaction) error {
		var row query.Run
		found, err := tx.find(tx.findRun, &row, id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err == nil {
			run, err = fulfil(tx, row.App())
		}
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return run, nil
}
