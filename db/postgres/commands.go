package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// Cancel implements app.Store.
func (s *Store) Cancel(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, (*transaction).cancel)
}

// Retry implements app.Store.
func (s *Store) Retry(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, (*transaction).retry)
}

// runCommand applies a change to a run, and returns the run after it. It fails as the change does, and with CodeNotFound.
func (s *Store) runCommand(ctx context.Context, id int64, command change) (run app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.lock(id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err != nil {
			return err
		}
		run, err = tx.apply(current, command)
		tx.noNotify = run.Version == current.run.Version
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return run, nil
}

// cancel cancels a created run, and requests the cancellation of a started one. If the job of a started run is snoozed, no
// worker could act on the request, so the run is cancelled at once.
func (tx *transaction) cancel(current lockedRun) (app.ProcessRun, app.Event, error) {
	run, event, err := app.RequestCancel(current.run, tx.time())
	if err != nil || run.Status != app.Started || run.Version == current.run.Version {
		return run, event, err
	}
	cancelJob := tx.cancelJob
	if slices.Contains(app.BulkKinds(), run.Kind) {
		cancelJob = tx.cancelWaitingJob
	}
	snoozed, err := cancelJob(current.job)
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
	return run, event, tx.checkCapacity(1)
}

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *transaction) error {
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
	})
}

// dropRuns deletes the final ones of some runs with all their rows, and returns their IDs.
const dropRuns = `WITH dropped AS (DELETE FROM process_runs WHERE id = ANY ($1) AND status IN (2, 3, 4) RETURNING id),
	events AS (DELETE FROM run_events USING dropped WHERE run_id = dropped.id),
	logs AS (DELETE FROM run_logs USING dropped WHERE run_id = dropped.id),
	texts AS (DELETE FROM run_search USING dropped WHERE run_id = dropped.id),
	actions AS (DELETE FROM bulk_actions USING dropped WHERE run_id = dropped.id)
	SELECT id FROM dropped`

// drop deletes the final ones of runs, and returns their IDs.
func (tx *transaction) drop(runs ...int64) (dropped []int64, err error) {
	err = tx.SelectContext(tx.ctx, &dropped, dropRuns, runs)
	return dropped, err
}

// bulkStepTime is about how long one transaction of a bulk action may take. It keeps its runs locked.
const bulkStepTime = 100 * time.Millisecond

const (
	holdsToken = `SELECT true FROM process_runs WHERE id = $1 AND status = 1 AND fencing_token = $2 FOR NO KEY UPDATE`
	moveAction = `UPDATE bulk_actions SET next = $1, done = done + $2, skipped = skipped + $3 WHERE run_id = $4 AND next = $5 RETURNING true`
)

// Advance implements app.BulkRunner.
func (s *Store) StepBulkAction(ctx context.Context, run app.ProcessRun) (state app.BulkProgress, err error) {
	chunk, err := s.NextChunk(ctx, run.ID)
	if err != nil || chunk.Progress.Finished {
		return chunk.Progress, err
	}
	err = s.write(ctx, func(tx *transaction) (err error) {
		state, err = tx.stepBulk(run, chunk)
		return err
	})
	if err != nil {
		return app.BulkProgress{}, err
	}
	return state, nil
}

// stepBulk performs one chunk of a bulk action. It moves the action's cursor in the same transaction, if the cursor is still
// where the chunk began, so that no run is processed twice.
func (tx *transaction) stepBulk(run app.ProcessRun, chunk query.BulkChunk) (state app.BulkProgress, err error) {
	var mine, moved bool
	if _, err := tx.find(&mine, holdsToken, run.ID, run.FencingToken); err != nil {
		return state, err
	}
	if !mine {
		return state, query.Conflict(run)
	}
	done, err := chunk.Do(bulkStepTime, tx.perform)
	if err != nil {
		return state, err
	}
	_, err = tx.find(&moved, moveAction, done.Next, done.Done, done.Skipped, run.ID, chunk.Start)
	if err == nil && !moved {
		err = query.ErrConcurrentAction
	}
	return done.Progress, err
}

// perform applies a bulk action to one run, unless the run is not, or no longer, one that the action was created for. It
// reports whether the run changed.
func (tx *transaction) perform(action app.BulkAction, id int64) (changed bool, err error) {
	current, found, err := tx.lock(id)
	if err != nil || !found || !action.AppliesTo(current.run) {
		return false, err
	}
	if entered, err := query.Entered(tx.ctx, tx, action, current.run); err != nil || entered {
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
