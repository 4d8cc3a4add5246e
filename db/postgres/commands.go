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

// wish does what a person wishes for a run, and returns the run as it then is.
func (s *Store) runCommand(ctx context.Context, id int64, fulfil func(*transaction, lockedRun) (app.ProcessRun, error)) (run app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		now, found, err := tx.lock(id)
		if err == nil && !found {
			err = query.NotFound(id)
		}
		if err == nil {
			run, err = fulfil(tx, now)
		}
		tx.silent = run.Version == now.run.Version
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return run, nil
}

// cancel cancels a run that waits, and asks one to stop that is started.
func (tx *transaction) cancel(now lockedRun) (app.ProcessRun, error) {
	run := now.run
	switch {
	case run.Status == app.Created:
		run = finalize(run, app.Cancelled, tx.time())
		return run, tx.save(now, run, query.NoteCancelled)
	case run.CancelRequested():
		return run, nil
	case run.Status == app.Started:
		return tx.requestCancel(now)
	}
	return run, query.ErrAlreadyFinal(run)
}

// ask asks a run that is started to stop. One that was to go on later has nobody who could stop it: it is cancelled.
func (tx *transaction) requestCancel(now lockedRun) (app.ProcessRun, error) {
	run := now.run
	run.CancelRequestedAt = tx.time()
	cancel := tx.cancelJob
	if slices.Contains(app.BulkKinds(), run.Kind) {
		cancel = tx.cancelWaitingJob
	}
	aside, err := cancel(now.job)
	switch {
	case err != nil:
		return run, err
	case aside:
		run = finalize(run, app.Cancelled, tx.time())
		return run, tx.save(now, run, "")
	}
	run.Version++
	run.UpdatedAt = tx.time()
	return run, tx.save(now, run, query.NoteAsked)
}

// retry takes a run back to created, as if it were new.
func (tx *transaction) retry(now lockedRun) (app.ProcessRun, error) {
	run := now.run
	if err := query.CheckRetry(run); err != nil {
		return run, err
	}
	if err := tx.checkCapacity(1); err != nil {
		return run, err
	}
	run = app.ProcessRun{
		ID: run.ID, Kind: run.Kind, Status: app.Created, Version: run.Version + 1, FencingToken: run.FencingToken,
		CreatedAt: run.CreatedAt, UpdatedAt: tx.time(), ScheduledAt: tx.scheduledAt(run.Kind), Progress: app.Progress{Percent: app.NoPercent},
	}
	return run, tx.save(now, run, query.NoteRetried)
}

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *transaction) error {
		dropped, err := tx.drop(id)
		if err != nil || len(dropped) > 0 {
			return err
		}
		now, found, err := tx.lock(id)
		switch {
		case err != nil:
			return err
		case !found:
			return query.NotFound(id)
		}
		return query.ErrNotFinal(id, now.run.Status)
	})
}

// dropRuns drops those of some runs that are final with all that belongs to them, and returns which.
const dropRuns = `WITH dropped AS (DELETE FROM process_runs WHERE id = ANY ($1) AND status IN (2, 3, 4) RETURNING id),
	events AS (DELETE FROM run_events USING dropped WHERE run_id = dropped.id),
	logs AS (DELETE FROM run_logs USING dropped WHERE run_id = dropped.id),
	texts AS (DELETE FROM run_texts USING dropped WHERE run_id = dropped.id),
	actions AS (DELETE FROM run_actions USING dropped WHERE run_id = dropped.id)
	SELECT id FROM dropped`

func (tx *transaction) drop(runs ...int64) (dropped []int64, err error) {
	err = tx.SelectContext(tx.ctx, &dropped, dropRuns, runs)
	return dropped, err
}

// actionTime is about how long one transaction of an action may take: whoever wants to change one of its runs waits for it.
const actionTime = 100 * time.Millisecond

const (
	isClaimed  = `SELECT true FROM process_runs WHERE id = $1 AND status = 1 AND fencing_token = $2 FOR NO KEY UPDATE`
	moveAction = `UPDATE run_actions SET next = $1, done = done + $2, skipped = skipped + $3 WHERE run_id = $4 AND next = $5 RETURNING true`
)

// Advance implements app.Actions.
func (s *Store) StepBulkAction(ctx context.Context, run app.ProcessRun) (state app.BulkProgress, err error) {
	part, err := s.NextPart(ctx, run.ID)
	if err != nil || part.State.Finished {
		return part.State, err
	}
	err = s.write(ctx, func(tx *transaction) (err error) {
		state, err = tx.stepBulk(run, part)
		return err
	})
	if err != nil {
		return app.BulkProgress{}, err
	}
	return state, nil
}

// advance does a part of an action. Its place is moved in the same transaction, if nobody else has moved it: so no run is
// dealt with twice.
func (tx *transaction) stepBulk(run app.ProcessRun, part query.Part) (state app.BulkProgress, err error) {
	var mine, moved bool
	if _, err := tx.find(&mine, isClaimed, run.ID, run.FencingToken); err != nil {
		return state, err
	}
	if !mine {
		return state, query.Conflict(run)
	}
	now, err := part.Do(actionTime, tx.perform)
	if err != nil {
		return state, err
	}
	_, err = tx.find(&moved, moveAction, now.Next, now.Done, now.Left, run.ID, part.At)
	if err == nil && !moved {
		err = query.ErrTwice
	}
	return now.State, err
}

// perform does an action to one run, unless it is not, or no longer, one of those in its preview. It reports whether that
// changed it.
func (tx *transaction) perform(action app.BulkAction, id int64) (changed bool, err error) {
	now, found, err := tx.lock(id)
	if err != nil || !found || !action.AppliesTo(now.run) {
		return false, err
	}
	if entered, err := query.Entered(tx.ctx, tx, action, now.run); err != nil || entered {
		return false, err
	}
	var after app.ProcessRun
	switch action.Operation {
	case app.BulkCancel:
		after, err = tx.cancel(now)
	case app.BulkRetry:
		after, err = tx.retry(now)
	case app.BulkDelete:
		dropped, err := tx.drop(id)
		return len(dropped) > 0, err
	}
	if app.CodeOf(err) == app.CodeConflict {
		return false, nil // it is not, or no longer, one that the operation is for
	}
	return after.Version > now.run.Version, err
}
