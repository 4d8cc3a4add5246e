package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// bulkStepTime is about how long one transaction of a bulk action may take. It keeps its runs locked.
const bulkStepTime = 100 * time.Millisecond

var _ app.BulkRunner = (*Store)(nil)

// CreateBulkAction implements app.Store.
func (s *Store) CreateBulkAction(
	ctx context.Context, action app.BulkAction, key string,
) (run app.ProcessRun, err error) {
	created, err := s.NewBulkAction(ctx, action)
	if err != nil {
		return run, err
	}
	var batch app.Batch
	err = s.write(ctx, func(tx *transaction) (err error) {
		batch, err = tx.idempotent(created.Request(key), func() (app.Batch, error) {
			return tx.createBulkRun(created)
		})
		return err
	})
	if err != nil {
		return run, err
	}
	batch.Kind = created.Kind // the request has the hash of the action in it
	return batch.Runs()[0], nil
}

// createBulkRun creates the run that performs a bulk action.
func (tx *transaction) createBulkRun(action query.NewBulkAction) (app.Batch, error) {
	if action.Refused != nil {
		return app.Batch{}, action.Refused
	}
	request := app.CreateRequest{Kind: action.Kind, Count: 1}
	batch, err := tx.insertRuns(query.NewRuns{CreateRequest: request})
	if err != nil {
		return batch, err
	}
	return batch, action.Save(tx, batch.First)
}

// StepBulkAction implements app.BulkRunner.
func (s *Store) StepBulkAction(ctx context.Context, run app.ProcessRun) (app.BulkProgress, error) {
	chunk, err := s.NextChunk(ctx, run.ID)
	if err != nil || chunk.Progress.Finished {
		return chunk.Progress, err
	}
	var progress app.BulkProgress
	err = s.write(ctx, func(tx *transaction) (err error) {
		progress, err = tx.stepBulk(run, chunk)
		return err
	})
	if err != nil {
		return app.BulkProgress{}, err
	}
	return progress, nil
}

// stepBulk performs one chunk of a bulk action, or as much of it as bulkStepTime and MaxPending allow. It
// fails with CodeConflict if run no longer holds its fencing token.
func (tx *transaction) stepBulk(run app.ProcessRun, chunk query.BulkChunk) (app.BulkProgress, error) {
	var mine bool
	if _, err := tx.Find(&mine, holdsToken, run.ID, run.FencingToken); err != nil {
		return app.BulkProgress{}, err
	}
	if !mine {
		return app.BulkProgress{}, query.Conflict(run)
	}
	done, err := chunk.Do(bulkStepTime, tx.perform)
	if err != nil {
		return app.BulkProgress{}, err
	}
	return done.Progress, done.Save(tx, run.ID, chunk)
}

// perform applies a bulk action to one run, unless the run is not, or no longer, one that the action was
// created for. It reports whether the run changed. It fails with CodeUnavailable if too many runs are
// waiting.
func (tx *transaction) perform(action app.BulkAction, id int64) (changed bool, err error) {
	current, found, err := tx.lock(id)
	if err != nil || !found || !action.AppliesTo(current.run) {
		return false, err
	}
	entered, err := query.Entered(tx.ctx, tx, action, current.run)
	if err != nil || entered {
		return false, err
	}
	var after app.ProcessRun
	switch action.Operation {
	case app.BulkCancel:
		after, err = tx.apply(current, (*transaction).cancel)
	case app.BulkRetry:
		after, err = tx.apply(current, (*transaction).retry)
	case app.BulkDelete:
		dropped, err := tx.drop(id)
		return len(dropped) > 0, err
	}
	if app.CodeOf(err) == app.CodeConflict {
		return false, nil // the run has changed status and is skipped
	}
	return after.Version > current.run.Version, err
}
