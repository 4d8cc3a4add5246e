package sqlite

import (
	"context"
	"time"

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
	return s.change(ctx, id, func(tx *transaction, run app.ProcessRun) (app.ProcessRun, app.Event, error) {
		if err := query.CheckVersion(run, version); err != nil {
			return run, app.Event{}, err
		}
		return tx.retry(run)
	})
}

// change applies a transition to a run and returns the run after it. It fails as the transition does, and
// with CodeNotFound.
func (s *Store) change(ctx context.Context, id int64, apply transition) (changed app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.read(id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err != nil {
			return err
		}
		if changed, err = tx.apply(current, apply); err != nil {
			return err
		}
		runs := []app.ProcessRun{changed}
		err = dialect.FillInputs(context.Background(), tx.conn, runs)
		changed = runs[0]
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return changed, nil
}

// PauseKind implements app.Store.
func (s *Store) PauseKind(ctx context.Context, kind string, paused bool) error {
	return s.write(ctx, func(tx *transaction) error {
		changed, err := query.PauseKind(tx, kind, paused, tx.now)
		if changed {
			tx.changed = true
			tx.requeued++ // the runs of a resumed kind may be older than others
			tx.enqueued++
		}
		return err
	})
}

// cancel cancels a created run, and requests the cancellation of a started one.
func (tx *transaction) cancel(run app.ProcessRun) (app.ProcessRun, app.Event, error) {
	return app.RequestCancel(run, tx.time())
}

// retry returns a failed or cancelled run to created.
func (tx *transaction) retry(run app.ProcessRun) (app.ProcessRun, app.Event, error) {
	next, event, err := app.Retry(run, tx.scheduledAt(run.Kind), tx.time())
	if err != nil {
		return next, event, err
	}
	if err := query.CheckRetry(tx, run); err != nil {
		return next, event, err
	}
	if err := tx.checkCapacity(1); err != nil {
		return next, event, err
	}
	definitions := tx.options.Definitions
	next.ConcurrencyKey, err = dialect.KeyForRetry(context.Background(), tx.conn, tx, definitions, run)
	return next, event, err
}

// Delete implements app.Store. It deletes a long log in several transactions.
func (s *Store) Delete(ctx context.Context, id int64) error {
	for partial := true; partial; {
		err := s.write(ctx, func(tx *transaction) (err error) {
			partial, err = tx.delete(id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// delete deletes a run, or a part of its log: then partial is true. It fails with CodeNotFound, and with
// CodeConflict if the run has not finished.
func (tx *transaction) delete(id int64) (partial bool, err error) {
	dropped, partial, err := tx.drop(id, time.Now().Add(pruneTime))
	if err != nil || dropped || partial {
		return partial, err
	}
	run, found, err := tx.read(id)
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, query.NotFound(id)
	}
	return false, query.ErrNotFinal(id, run.Status)
}
