package postgres

import (
	"context"
	"strconv"

	"runboard/app"
	"runboard/db/query"
)

const (
	readRun = `SELECT ` + query.Columns + `, job, node FROM process_runs WHERE id = $1`
	lockRun = readRun + ` FOR UPDATE`
)

// saveRun saves a locked run after a transition. Its last argument is the note of the event.
var saveRun = `WITH changed AS (UPDATE process_runs
	SET status = $1, version = $2, attempt = $3, crashes = $4, error = $5, updated_at = $6, started_at = $7,
		finished_at = $8, scheduled_at = $9, cancel_requested_at = $10, percent = $11, message = $12,
		failure = $13, job = $14
	WHERE id = $15 RETURNING id, version, updated_at, status, attempt), ` + addEvents("$16", "-1") + `
	SELECT id FROM changed`

// addEvents returns the CTEs that add an event for each row of the CTE changed, and delete the events beyond
// the newest app.MaxEvents. note and logOffset are SQL expressions.
func addEvents(note, logOffset string) string {
	maxEvents := strconv.Itoa(app.MaxEvents)
	return `added AS (INSERT INTO run_events (run_id, version, at, status, attempt, note, log_offset)
		SELECT id, version, updated_at, status, attempt, ` + note + `, ` + logOffset + ` FROM changed),
	dropped AS (DELETE FROM run_events USING changed
		WHERE changed.version > ` + maxEvents + ` AND run_events.run_id = changed.id AND run_events.version =
			(SELECT version FROM run_events WHERE run_id = changed.id
				ORDER BY version DESC LIMIT 1 OFFSET ` + maxEvents + ` - 1))`
}

// Finish implements app.WorkStore. A completion is batched with others, unless cancellation was requested.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if outcome.Status == app.Completed && outcome.Error == "" {
		_, err := s.complete(ctx, run)
		if err == nil {
			s.balanceSoon(run)
		}
		if app.CodeOf(err) != app.CodeConflict {
			return err
		}
	}
	outcome.Error = query.Sanitize(outcome.Error)
	return s.changeAttempt(ctx, run, finishWith(outcome))
}

func finishWith(outcome app.Outcome) transition {
	return func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		return app.Finish(current.run, outcome, tx.time())
	}
}

// Requeue implements app.WorkStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	return s.changeAttempt(ctx, run, (*transaction).requeue)
}

func (tx *transaction) requeue(current lockedRun) (app.ProcessRun, app.Event, error) {
	return app.Requeue(current.run, tx.time())
}

// transition is a function of the state machine, applied to a locked run.
type transition func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error)

// changeAttempt applies a transition to a run that is started with the fencing token of run. Otherwise it
// fails with CodeConflict.
func (s *Store) changeAttempt(ctx context.Context, run app.ProcessRun, apply transition) error {
	return s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.lock(run.ID)
		if err != nil {
			return err
		}
		if !found || current.run.FencingToken != run.FencingToken {
			return query.Conflict(run)
		}
		_, err = tx.apply(current, apply)
		return err
	})
}

// lockedRun is a run whose row is locked until the end of the transaction.
type lockedRun struct {
	run  app.ProcessRun
	job  int64
	node int64 // the node that works on the run, or did last; 0 if none
}

// lock reads a run and locks its row, and reports whether the run exists.
func (tx *transaction) lock(id int64) (locked lockedRun, found bool, err error) {
	return tx.findRun(lockRun, id)
}

// findRun reads a run by lockRun or readRun.
func (tx *transaction) findRun(statement string, id int64) (run lockedRun, found bool, err error) {
	var row struct {
		query.Run
		Job  int64 `db:"job"`
		Node int64 `db:"node"`
	}
	found, err = tx.Find(&row, statement, id)
	return lockedRun{run: row.App(), job: row.Job, node: row.Node}, found, err
}

// apply applies a transition to a locked run and saves the result, unless nothing changes. It returns the run
// after it.
func (tx *transaction) apply(current lockedRun, apply transition) (app.ProcessRun, error) {
	run, event, err := apply(tx, current)
	if err != nil || run.Version == current.run.Version {
		return current.run, err
	}
	return run, tx.save(current, run, event.Note)
}

// save saves a changed run with its job, its failure group, its event, its search terms, and the statistics
// of the transaction.
func (tx *transaction) save(before lockedRun, run app.ProcessRun, note string) (err error) {
	job := before.job
	switch {
	case run.Status == app.Created:
		jobs, err := tx.addJobs(tx.mayWait(run), run)
		if err != nil {
			return err
		}
		job = jobs[0]
	case run.Status == app.Failed:
		run.Failure, err = query.FailRun(tx, run)
		if err != nil {
			return err
		}
	case before.run.Status == app.Created && run.Status == app.Cancelled:
		if _, err := tx.dropJob(job); err != nil {
			return err
		}
	}
	err = tx.Exec(saveRun, run.Status, run.Version, run.Attempt, run.Crashes, run.Error,
		query.Millis(run.UpdatedAt), query.Millis(run.StartedAt), query.Millis(run.FinishedAt),
		query.Millis(run.ScheduledAt), query.Millis(run.CancelRequestedAt), run.Percent, run.Message,
		run.Failure, job, run.ID, note)
	if err != nil {
		return err
	}
	tx.balance(run)
	if run.Status != app.Started {
		tx.events = append(tx.events, query.NewStatsEvent(run, run.UpdatedAt.Sub(run.StartedAt)))
	}
	if run.Error == before.run.Error {
		return nil
	}
	return query.IndexError(tx, run)
}
