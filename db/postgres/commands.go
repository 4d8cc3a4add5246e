package postgres

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

// Cancel implements app.Store.
func (s *Store) Cancel(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.change(ctx, id, (*transaction).cancel)
}

// Retry implements app.Store.
func (s *Store) Retry(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.change(ctx, id, (*transaction).retry)
}

// Undo implements app.Store.
func (s *Store) Undo(ctx context.Context, id, version int64) (app.ProcessRun, error) {
	return s.change(ctx, id, func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		if err := query.CheckVersion(current.run, version); err != nil {
			return current.run, app.Event{}, err
		}
		return tx.retry(current)
	})
}

// change applies a transition to a run and returns the run after it. It fails as the transition does, and
// with CodeNotFound.
func (s *Store) change(ctx context.Context, id int64, apply transition) (changed app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.lock(id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err != nil {
			return err
		}
		if changed, err = tx.apply(current, apply); err != nil {
			return err
		}
		tx.noNotify = changed.Version == current.run.Version
		runs := []app.ProcessRun{changed}
		err = dialect.FillInputs(tx.ctx, tx, runs)
		changed = runs[0]
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return changed, nil
}

// cancel cancels a created run, and requests the cancellation of a started one. A started run that has a job
// is snoozed: no worker could act on the request, so the run is cancelled at once.
func (tx *transaction) cancel(current lockedRun) (app.ProcessRun, app.Event, error) {
	run, event, err := app.RequestCancel(current.run, tx.time())
	if err != nil || run.Status != app.Started || run.Version == current.run.Version {
		return run, event, err
	}
	snoozed, err := tx.dropJob(current.job)
	if err != nil || !snoozed {
		return run, event, err
	}
	return app.CancelSnoozed(current.run, tx.time())
}

// retry returns a failed or cancelled run to created.
func (tx *transaction) retry(current lockedRun) (app.ProcessRun, app.Event, error) {
	run, event, err := app.Retry(current.run, tx.scheduledAt(current.run.Kind), tx.time())
	if err != nil {
		return run, event, err
	}
	if err := query.CheckRetry(tx, current.run); err != nil {
		return run, event, err
	}
	if err := tx.checkCapacity(1); err != nil {
		return run, event, err
	}
	definitions := tx.store.options.Definitions
	run.ConcurrencyKey, err = dialect.KeyForRetry(tx.ctx, tx, tx, definitions, current.run)
	return run, event, err
}

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *transaction) error { return tx.delete(id) })
}

// delete deletes a run. It fails with CodeNotFound, and with CodeConflict if the run has not finished.
func (tx *transaction) delete(id int64) error {
	dropped, err := tx.drop(id)
	if err != nil || len(dropped) > 0 {
		return err
	}
	current, found, err := tx.lock(id)
	switch {
	case err != nil:
		return err
	case !found:
		return query.NotFound(id)
	}
	return query.ErrNotFinal(id, current.run.Status)
}
