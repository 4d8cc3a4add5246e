package sqlite

import (
	"context"
	"time"

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

	repairScheduled = `UPDATE process_runs SET scheduled_at = ?1 + scheduled_at - updated_at, updated_at = ?1, version = version + 1
		WHERE status = 0 AND scheduled_at > ?1 AND updated_at > ?1`

	reportRun = `UPDATE process_runs
		SET version = version + 1, percent = ?1, message = ?2, updated_at = ?3
		WHERE id = ?4 AND status = 1 AND fencing_token = ?5`
)

// Start implements app.WorkStore.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (app.ProcessRun, error) {
	return s.applyTransition(ctx, run, func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error) {
		if current.Status != app.Created {
			return current, app.Event{}, query.Conflict(run)
		}
		return app.Start(current, tx.time())
	})
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

// Finish implements app.WorkStore.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	outcome.Error = query.Sanitize(outcome.Error)
	_, err := s.applyTransition(ctx, run, func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error) {
		if !sameAttempt(current, run) {
			return current, app.Event{}, query.Conflict(run)
		}
		return app.Finish(current, outcome, tx.time())
	})
	return err
}

// CompleteMany implements app.QueueStore.
func (s *Store) CompleteMany(ctx context.Context, runs []app.ProcessRun) (stale []app.ProcessRun, err error) {
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		stale, err = tx.completeMany(runs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stale, nil
}

// Requeue implements app.WorkStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	_, err := s.applyTransition(ctx, run, func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error) {
		if !sameAttempt(current, run) {
			return current, app.Event{}, query.Conflict(run)
		}
		return app.Requeue(current, tx.time())
	})
	return err
}

// Cancel implements app.Store.
func (s *Store) Cancel(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, (*transaction).cancel)
}

// Retry implements app.Store.
func (s *Store) Retry(ctx context.Context, id int64) (app.ProcessRun, error) {
	return s.runCommand(ctx, id, func(tx *transaction, run app.ProcessRun) (app.ProcessRun, app.Event, error) {
		return tx.retry(run, s.options.MaxPending)
	})
}

func (tx *transaction) cancel(run app.ProcessRun) (app.ProcessRun, app.Event, error) {
	return app.RequestCancel(run, tx.time())
}

func (tx *transaction) retry(run app.ProcessRun, maxPending int64) (app.ProcessRun, app.Event, error) {
	next, event, err := app.Retry(run, query.FromMillis(tx.scheduledAt(run.Kind)), tx.time())
	if err != nil {
		return next, event, err
	}
	return next, event, tx.checkCapacity(1, maxPending)
}

// time returns the time of the transaction with the precision of the database.
func (tx *transaction) time() time.Time { return query.FromMillis(tx.now.UnixMilli()) }

// transition is a function of the state machine.
type transition func(tx *transaction, run app.ProcessRun) (app.ProcessRun, app.Event, error)

// applyTransition applies a transition to a run that its worker has read before. It fails as apply does, and
// with CodeConflict if the run no longer exists.
func (s *Store) applyTransition(ctx context.Context, run app.ProcessRun, apply transition) (app.ProcessRun, error) {
	changed, err := s.runCommand(ctx, run.ID, apply)
	if app.CodeOf(err) == app.CodeNotFound {
		err = query.Conflict(run)
	}
	return changed, err
}

// runCommand applies a transition to a run and returns the run after it. It fails as apply does, and with
// CodeNotFound.
func (s *Store) runCommand(ctx context.Context, id int64, apply transition) (changed app.ProcessRun, err error) {
	// The writer owns changed until do succeeds, because it may set it twice.
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		changed, err = tx.apply(id, apply)
		return err
	})
	if err != nil {
		return app.ProcessRun{}, err
	}
	return changed, nil
}

// apply reads a run, applies a transition to it, and saves the result.
func (tx *transaction) apply(id int64, apply transition) (changed app.ProcessRun, err error) {
	var row query.Run
	found, err := tx.find(tx.findRun, &row, id)
	if err != nil {
		return changed, err
	}
	if !found {
		return changed, query.NotFound(id)
	}
	run, event, err := apply(tx, row.App())
	if err != nil {
		return changed, err
	}
	return tx.save(row.App(), run, event)
}

// save saves a transition with its failure group, its event, the search index, and the counts of the
// transaction. It returns the run after the transition, and writes nothing if the version is unchanged.
func (tx *transaction) save(before, run app.ProcessRun, event app.Event) (app.ProcessRun, error) {
	if run.Version == before.Version {
		return run, nil
	}
	if run.Status == app.Failed {
		var err error
		run.Failure, err = query.NewFailed(run.Kind, run.Error).FindOrCreate(tx, tx.now.UnixMilli())
		if err != nil {
			return run, err
		}
	}
	saved, err := tx.changesOne(tx.saveRun, saveRunArgs(run, before.Version)...)
	if err == nil && !saved {
		err = query.Conflict(before)
	}
	if err != nil {
		return run, err
	}
	tx.count(before, run)
	if run.Status != app.Started && before.Status == app.Started {
		if err := tx.indexError(run); err != nil {
			return run, err
		}
	}
	return run, tx.appendEvent(run, event.Note)
}

// sameAttempt reports whether current is still started with the fencing token of run, so its worker may
// change it.
func sameAttempt(current, run app.ProcessRun) bool {
	return current.Status == app.Started && current.FencingToken == run.FencingToken
}

// saveRunArgs returns the arguments of saveRun. version is that of the run before the transition.
func saveRunArgs(run app.ProcessRun, version int64) []any {
	return []any{
		int64(run.Status), run.Version, run.Attempt, run.Crashes, run.FencingToken, run.Error,
		query.Millis(run.UpdatedAt), query.Millis(run.StartedAt), query.Millis(run.FinishedAt),
		query.Millis(run.ScheduledAt), query.Millis(run.CancelRequestedAt),
		int64(run.Percent), run.Message, run.Failure, run.ID, version,
	}
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
		tx.recordStats(run, run.UpdatedAt.Sub(run.StartedAt))
	case before.Status == app.Created:
		tx.recordStats(run, tx.now.Sub(query.DueSince(before)))
	}
}
