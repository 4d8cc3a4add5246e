package sqlite

import (
	"context"
	"errors"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	addAction  = `INSERT INTO bulk_actions (run_id, action, preview_runs, preview_skipped, preview_more, next, done, skipped) VALUES (?1, ?2, ?3, ?4, ?5, ?1, 0, 0)`
	moveAction = `UPDATE bulk_actions SET next = ?1, done = done + ?2, skipped = skipped + ?3 WHERE run_id = ?4 AND next = ?5`
	dropAction = `DELETE FROM bulk_actions WHERE run_id = ?`
)

// actionTime is about how long one transaction of a bulk action may take. All other writes wait for it.
const actionTime = 15 * time.Millisecond

var _ app.BulkRunner = (*Store)(nil)

// CreateBulkAction implements app.Store.
func (s *Store) CreateBulkAction(ctx context.Context, action app.BulkAction, key string) (run app.ProcessRun, err error) {
	made, err := s.NewBulkAction(ctx, action)
	if err != nil {
		return run, err
	}
	var batch app.Batch // owned by the writer until do succeeds
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		batch, err = tx.createBulkRun(made, key)
		return err
	})
	if err != nil {
		return run, err
	}
	return batch.Runs()[0], nil
}

// createBulkRun creates the run of a bulk action. It saves the idempotency key together with a hash of the
// action, so the key cannot be used for another one. A key that was used before returns the first batch, even
// if the action is refused by now.
func (tx *transaction) createBulkRun(action query.NewBulkAction, key string) (app.Batch, error) {
	request := action.Request(key)
	if first, found, err := tx.findByKey(request); err != nil || found {
		first.Kind = action.Kind
		return first, err
	}
	if action.Refused != nil {
		return app.Batch{}, action.Refused
	}
	batch, err := tx.insertRuns(app.CreateRequest{Kind: action.Kind, Count: 1})
	if err == nil {
		err = tx.exec(tx.addAction, batch.First, action.JSON, action.Preview.Runs, action.Preview.Skipped, action.Preview.More)
	}
	if err != nil || key == "" {
		return batch, err
	}
	return batch, tx.saveKey(request, batch)
}

// StepBulkAction implements app.BulkRunner.
func (s *Store) StepBulkAction(ctx context.Context, run app.ProcessRun) (app.BulkProgress, error) {
	chunk, err := s.NextChunk(ctx, run.ID)
	if err != nil || chunk.Progress.Finished {
		return chunk.Progress, err
	}
	var state app.BulkProgress // owned by the writer until do succeeds: it may be set again
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		state, err = tx.stepBulk(run, chunk, s.options.MaxPending)
		return err
	})
	if err != nil {
		return app.BulkProgress{}, err
	}
	return state, nil
}

// stepBulk performs the next chunk of a bulk action, or as much of it as actionTime and maxPending allow. It
// fails with CodeConflict if run no longer holds its fencing token, and with query.ErrConcurrentAction if another worker
// has performed the chunk since it was read.
func (tx *transaction) stepBulk(run app.ProcessRun, chunk query.BulkChunk, maxPending int64) (state app.BulkProgress, err error) {
	var mine bool
	if _, err := tx.find(tx.isClaimed, &mine, run.ID, run.FencingToken); err != nil {
		return state, err
	}
	if !mine {
		return state, query.Conflict(run)
	}
	until := time.Now().Add(actionTime)
	done, err := chunk.Do(actionTime, func(action app.BulkAction, id int64) (bool, error) {
		return tx.perform(action, id, maxPending, until)
	})
	if err != nil {
		return state, err
	}
	moved, err := tx.changesOne(tx.moveAction, done.Next, done.Done, done.Skipped, run.ID, chunk.Start)
	if err == nil && !moved {
		err = query.ErrConcurrentAction
	}
	return done.Progress, err
}

// perform applies action to one run and reports whether that changed the run. It skips a run that the preview
// did not include or that no longer fits. It fails with CodeUnavailable if too many runs are waiting, and
// with query.ErrPartial if a deletion needs more time than until allows.
func (tx *transaction) perform(action app.BulkAction, id, maxPending int64, until time.Time) (changed bool, err error) {
	var row query.Run
	if found, err := tx.find(tx.findRun, &row, id); err != nil || !found {
		return false, err
	}
	run := row.App()
	if !action.AppliesTo(run) {
		return false, nil
	}
	if entered, err := query.Entered(context.Background(), tx.conn, action, run); err != nil || entered {
		return false, err
	}
	var after app.ProcessRun
	var event app.Event
	switch action.Operation {
	case app.BulkCancel:
		after, event, err = tx.cancel(run)
	case app.BulkRetry:
		after, event, err = tx.retry(run, maxPending)
	case app.BulkDelete:
		dropped, unfinished, err := tx.drop(id, until)
		if err == nil && unfinished {
			err = query.ErrPartial
		}
		return dropped, err
	}
	if app.CodeOf(err) == app.CodeConflict {
		return false, nil // the operation does not apply to this run, or no longer does
	}
	if err != nil {
		return false, err
	}
	after, err = tx.save(run, after, event)
	return after.Version > run.Version, err
}

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, id int64) error {
	err := query.ErrPartial
	for errors.Is(err, query.ErrPartial) {
		err = s.deleteSome(ctx, id)
	}
	return err
}

// deleteSome deletes a run in one transaction. If its log is too long for that, deleteSome deletes a part of
// the log and fails with query.ErrPartial.
func (s *Store) deleteSome(ctx context.Context, id int64) error {
	unfinished := false // owned by the writer until do succeeds
	err := s.writer.do(ctx, func(tx *transaction) (err error) {
		var dropped bool
		if dropped, unfinished, err = tx.drop(id, time.Now().Add(pruneTime)); err != nil || dropped || unfinished {
			return err
		}
		var row query.Run
		found, err := tx.find(tx.findRun, &row, id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err == nil {
			err = query.ErrNotFinal(id, app.Status(row.Status))
		}
		return err
	})
	if err == nil && unfinished {
		err = query.ErrPartial
	}
	return err
}
