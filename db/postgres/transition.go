package postgres

import (
	"context"
	"strconv"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// eventColumns returns the CTEs that append an event for each row of the CTE changed, and drop the events that exceed
// app.MaxEvents. note is an SQL expression.
func eventColumns(note string) string {
	return `appended AS (INSERT INTO run_events (run_id, version, at, status, attempt, note) SELECT id, version, updated_at, status, attempt, ` + note + ` FROM changed),
	dropped AS (DELETE FROM run_events USING changed WHERE changed.version > ` + maxEvents + ` AND run_events.run_id = changed.id AND run_events.version =
		(SELECT version FROM run_events WHERE run_id = changed.id ORDER BY version DESC LIMIT 1 OFFSET ` + maxEvents + ` - 1))`
}

// changeRuns returns a statement that updates the runs that match where, and returns them. Its arguments are the time, the
// run IDs, the expected value and the job (0 for any) of each run, and the node.
func changeRuns(set, where string) string {
	return `WITH changed AS (UPDATE process_runs SET node = $5, ` + set + `
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS requested (run, expected, assigned)
		WHERE id = run AND ` + where + ` RETURNING expected, ` + query.Columns + `), ` + eventColumns("''") + `
	SELECT expected, ` + query.Columns + ` FROM changed`
}

var maxEvents = strconv.Itoa(app.MaxEvents)

// Starts and completions happen to every run, so coalescer batches them. All other changes are rarer and use lockRun and
// saveRun. A stale job does not start its run: the run has been cancelled and retried, and has a newer job.
var (
	startRuns = changeRuns(`status = 1, version = version + 1, attempt = attempt + 1, fencing_token = fencing_token + 1, error = '',
		started_at = $1, updated_at = $1, scheduled_at = 0, percent = -1, message = ''`, `status = 0 AND version = expected AND (assigned = 0 OR job = assigned)`)
	completeRuns = changeRuns(`status = 2, version = version + 1, error = '', updated_at = $1, finished_at = $1, scheduled_at = 0`,
		`status = 1 AND fencing_token = expected AND cancel_requested_at = 0`)
	saveRun = `WITH changed AS (UPDATE process_runs SET status = $1, version = $2, attempt = $3, crashes = $4, error = $5, updated_at = $6, started_at = $7, finished_at = $8,
		scheduled_at = $9, cancel_requested_at = $10, percent = $11, message = $12, failure = $13, job = $14 WHERE id = $15
		RETURNING id, version, updated_at, status, attempt), ` + eventColumns("$16") + ` SELECT id FROM changed`
)

const lockRun = `SELECT ` + query.Columns + `, job, node FROM process_runs WHERE id = $1 FOR UPDATE`

// Start implements app.WorkStore.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (started app.ProcessRun, err error) {
	return s.StartJob(ctx, run, 0)
}

// StartJob implements app.ClusterStore.
func (s *Store) StartJob(ctx context.Context, run app.ProcessRun, job int64) (app.ProcessRun, error) {
	start := &updateRequest{run: run.ID, expected: run.Version, job: job}
	return s.change(ctx, s.starts, run, start, func(started app.ProcessRun) time.Duration {
		return started.StartedAt.Sub(query.DueSince(run))
	})
}

// Finish implements app.WorkStore.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if outcome.Status == app.Completed && outcome.Error == "" {
		end := &updateRequest{run: run.ID, expected: run.FencingToken}
		_, err := s.change(ctx, s.ends, run, end, func(done app.ProcessRun) time.Duration { return done.FinishedAt.Sub(done.StartedAt) })
		if app.CodeOf(err) != app.CodeConflict {
			return err
		} // the run may have a cancellation request, which the statement excludes
	}
	outcome.Error = query.Sanitize(outcome.Error)
	return s.transition(ctx, run, func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		return app.Finish(current.run, outcome, tx.time())
	})
}

// Requeue implements app.WorkStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	return s.transition(ctx, run, func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		return app.Requeue(current.run, tx.time())
	})
}

// Rescue implements app.ClusterStore.
func (s *Store) Rescue(ctx context.Context, run app.ProcessRun) error {
	return s.transition(ctx, run, func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		if current.node != s.node {
			alive, err := tx.isAlive(current.node)
			if err == nil && alive {
				err = app.Errorf(app.CodeConflict, "Run #%d is running on another node.", run.ID)
			}
			if err != nil {
				return current.run, app.Event{}, err
			}
		}
		return tx.crash(current)
	})
}

// crash ends the attempt of a lost worker.
func (tx *transaction) crash(current lockedRun) (app.ProcessRun, app.Event, error) {
	return app.Crash(current.run, tx.store.options.MaxCrashes, tx.time())
}

// change is a function of the state machine, applied to a locked run.
type change func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error)

// transition applies change to a run that is started with the fencing token of run. Otherwise it fails with CodeConflict.
func (s *Store) transition(ctx context.Context, run app.ProcessRun, apply change) error {
	return s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.lock(run.ID)
		if err != nil {
			return err
		}
		if !found || current.run.Status != app.Started || current.run.FencingToken != run.FencingToken {
			return query.Conflict(run)
		}
		_, err = tx.apply(current, apply)
		return err
	})
}

// apply applies a change to a locked run and saves the result, unless nothing changes. It returns the run after it.
func (tx *transaction) apply(current lockedRun, apply change) (app.ProcessRun, error) {
	run, event, err := apply(tx, current)
	if err != nil || run.Version == current.run.Version {
		return current.run, err
	}
	return run, tx.save(current, run, event.Note)
}

// lockedRun is a run whose row is locked until the end of the transaction.
type lockedRun struct {
	run  app.ProcessRun
	job  int64
	node int64 // the node that works on the run, or did last; 0 if none
}

// lock reads a run and locks its row, and reports whether the run exists.
func (tx *transaction) lock(id int64) (l lockedRun, found bool, err error) {
	var row struct {
		query.Run
		Job  int64 `db:"job"`
		Node int64 `db:"node"`
	}
	found, err = tx.find(&row, lockRun, id)
	return lockedRun{run: row.App(), job: row.Job, node: row.Node}, found, err
}

// time returns the time of the transaction with the database's precision.
func (tx *transaction) time() time.Time { return query.FromMillis(tx.now.UnixMilli()) }

// save writes a changed run, its job, its failure group, its event with this note, and its search terms.
func (tx *transaction) save(before lockedRun, run app.ProcessRun, note string) error {
	job := before.job
	switch {
	case run.Status == app.Created:
		jobs, err := tx.addJobs(run)
		if err != nil {
			return err
		}
		job = jobs[0]
	case run.Status == app.Failed:
		var err error
		if run.Failure, err = query.NewFailed(run.Kind, run.Error).FindOrCreate(tx, tx.now.UnixMilli()); err != nil {
			return err
		}
	case before.run.Status == app.Created && run.Status == app.Cancelled:
		if _, err := tx.cancelJob(job); err != nil {
			return err
		}
	}
	err := tx.exec(saveRun, run.Status, run.Version, run.Attempt, run.Crashes, run.Error, query.Millis(run.UpdatedAt), query.Millis(run.StartedAt),
		query.Millis(run.FinishedAt), query.Millis(run.ScheduledAt), query.Millis(run.CancelRequestedAt), run.Percent, run.Message, run.Failure, job, run.ID, note)
	if err == nil && run.Error != "" && run.Error != before.run.Error && !query.NeverSearched(run.Kind) {
		err = tx.index(run.ID, query.ErrorPart, query.Terms(run.ID, run.Error))
	}
	if run.Status != app.Started {
		tx.events = append(tx.events, query.NewStatsEvent(run, run.UpdatedAt.Sub(run.StartedAt)))
	}
	return err
}
