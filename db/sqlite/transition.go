package sqlite

import (
	"context"

	"runboard/app"
	"runboard/db/query"
)

// Every change says in its WHERE what it expects, so that whoever is late changes nothing. What it returns
// is the row as it is afterwards.
const (
	startRun = `UPDATE process_runs
		SET status = 1, version = version + 1, attempt = attempt + 1, fencing_token = fencing_token + 1, error = '',
			started_at = ?1, updated_at = ?1, scheduled_at = 0, percent = -1, message = ''
		WHERE id = ?2 AND status = 0
		RETURNING ` + query.Columns

	// A person's wish to stop a run outlives whatever else becomes of it.
	finishRun = `UPDATE process_runs
		SET status = iif(cancel_requested_at > 0, 4, ?1), version = version + 1, error = iif(cancel_requested_at > 0, ?2, ?3), updated_at = ?4,
			finished_at = iif(cancel_requested_at > 0 OR ?1 <> 0, ?4, 0), scheduled_at = iif(cancel_requested_at > 0, 0, ?5),
			failure = iif(cancel_requested_at > 0, 0, ?8)
		WHERE id = ?6 AND status = 1 AND fencing_token = ?7
		RETURNING ` + query.Columns
	giveBackRun = `UPDATE process_runs
		SET status = iif(cancel_requested_at > 0, 4, 0), version = version + 1, attempt = attempt - 1, updated_at = ?1,
			finished_at = iif(cancel_requested_at > 0, ?1, 0)
		WHERE id = ?2 AND status = 1 AND fencing_token = ?3
		RETURNING ` + query.Columns

	mendDue = `UPDATE process_runs SET scheduled_at = ?1 + scheduled_at - updated_at, updated_at = ?1, version = version + 1
		WHERE status = 0 AND scheduled_at > ?1 AND updated_at > ?1`

	reportRun = `UPDATE process_runs
		SET version = version + 1, percent = ?1, message = ?2, updated_at = ?3
		WHERE id = ?4 AND status = 1 AND fencing_token = ?5`
)

// Start implements app.QueueStore.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (app.ProcessRun, error) {
	return s.change(ctx, run, func(tx *transaction) (app.ProcessRun, error) { return tx.startOne(run) })
}

// StartMany implements app.QueueStore.
func (s *Store) StartMany(ctx context.Context, runs []app.ProcessRun) (started []app.ProcessRun, err error) {
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		started, err = tx.startMany(runs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return started, nil
}

// startOne starts a run that is created, and returns it as it then is, or the zero run.
func (tx *transaction) startOne(run app.ProcessRun) (app.ProcessRun, error) {
	started, err := tx.update(app.Created, "", tx.start, tx.now.UnixMilli(), run.ID)
	if started.ID != 0 {
		tx.recordStats(started, tx.now.Sub(query.ReadySince(run)))
	}
	return started, err
}

// Finish implements app.QueueStore.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if err := query.CheckOutcome(run, outcome); err != nil {
		return err
	}
	outcome.Error = query.Sanitize(outcome.Error)
	var inCommon query.Failed
	if outcome.Status == app.Failed {
		inCommon = query.NewFailed(run.Kind, outcome.Error)
	}
	_, err := s.change(ctx, run, func(tx *transaction) (app.ProcessRun, error) { return tx.finishOne(run, outcome, inCommon) })
	return err
}

// CompleteMany implements app.QueueStore.
func (s *Store) CompleteMany(ctx context.Context, runs []app.ProcessRun) (late []app.ProcessRun, err error) {
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		late, err = tx.completeMany(runs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return late, nil
}

// finishOne ends the attempt of a started run, and returns it as it then is, or the zero run. If it fails, inCommon is
// what it has in common with others.
func (tx *transaction) finishOne(run app.ProcessRun, outcome app.Outcome, inCommon query.Failed) (ended app.ProcessRun, err error) {
	ifCancelled, due, failure := outcome.Error, int64(0), int64(0)
	switch {
	case outcome.Status == app.Completed:
		ifCancelled = query.NoteFinished
	case outcome.Status == app.Created && outcome.RetryIn > 0:
		due = tx.now.Add(outcome.RetryIn).UnixMilli()
	case outcome.Status == app.Failed:
		if failure, err = tx.failure(inCommon, tx.now.UnixMilli()); err != nil {
			return ended, err
		}
	}
	ended, err = tx.update(app.Started, "", tx.finish, int64(outcome.Status), ifCancelled, outcome.Error, tx.now.UnixMilli(), due, run.ID, run.FencingToken, failure)
	if err == nil {
		err = tx.indexError(ended)
	}
	return ended, err
}

// Requeue implements app.QueueStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	_, err := s.change(ctx, run, func(tx *transaction) (app.ProcessRun, error) {
		return tx.update(app.Started, query.NoteInterrupted, tx.giveBack, tx.now.UnixMilli(), run.ID, run.FencingToken)
	})
	return err
}

// change has a started or waiting run changed by the writer and returns it as it then is. It fails with
// CodeConflict when nothing was changed.
func (s *Store) change(ctx context.Context, run app.ProcessRun, update func(*transaction) (app.ProcessRun, error)) (changed app.ProcessRun, err error) {
	// changed is the writer's until do succeeds: it may be set again.
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		if changed, err = update(tx); err == nil && changed.ID == 0 {
			return query.Conflict(run)
		}
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return changed, nil
}
