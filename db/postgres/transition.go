package postgres

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// tellOf is what follows a statement named changed that changes runs: it takes note of that in their events.
func eventColumns(note string) string {
	return `told AS (INSERT INTO run_events (run_id, version, at, status, attempt, note) SELECT id, version, updated_at, status, attempt, ` + note + ` FROM changed),
	dropped AS (DELETE FROM run_events USING changed WHERE changed.version > ` + maxEvents + ` AND run_events.run_id = changed.id AND run_events.version =
		(SELECT version FROM run_events WHERE run_id = changed.id ORDER BY version DESC LIMIT 1 OFFSET ` + maxEvents + ` - 1))`
}

// changeRuns is one statement that changes runs as set says, if they are as where says. Its arguments are the time, the
// runs, what is expected of each, the job that each must have or 0, and the node. It returns the runs as they then are.
func changeRuns(set, where string) string {
	return `WITH changed AS (UPDATE process_runs SET node = $5, ` + set + `
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS asked (run, expected, assigned)
		WHERE id = run AND ` + where + ` RETURNING expected, ` + query.Columns + `), ` + eventColumns("''") + `
	SELECT expected, ` + query.Columns + ` FROM changed`
}

var maxEvents = strconv.Itoa(app.MaxEvents)

// What happens to every run is one statement for many of them, see group. All else is less frequent, and goes by lockRun and saveRun.
// A run is not started by whoever holds a job that it had before: it has been cancelled meanwhile, and retried.
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

// StartJob implements app.Shared.
func (s *Store) StartJob(ctx context.Context, run app.ProcessRun, job int64) (app.ProcessRun, error) {
	start := &updateRequest{run: run.ID, expected: run.Version, job: job}
	return s.change(ctx, s.starts, run, start, func(started app.ProcessRun) time.Duration {
		return started.StartedAt.Sub(query.ReadySince(run))
	})
}

// Finish implements app.WorkStore.
func (s *Store) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) error {
	if err := query.CheckOutcome(run, outcome); err != nil {
		return err
	}
	if outcome.Status == app.Completed && outcome.Error == "" {
		end := &updateRequest{run: run.ID, expected: run.FencingToken}
		_, err := s.change(ctx, s.ends, run, end, func(done app.ProcessRun) time.Duration { return done.FinishedAt.Sub(done.StartedAt) })
		if app.CodeOf(err) != app.CodeConflict {
			return err
		} // its cancellation may have been requested
	}
	outcome.Error = query.Sanitize(outcome.Error)
	return s.transition(ctx, run, func(tx *transaction, now lockedRun) error {
		return tx.save(now, afterAttempt(now.run, outcome, tx.time()), "")
	})
}

// Requeue implements app.WorkStore.
func (s *Store) Requeue(ctx context.Context, run app.ProcessRun) error {
	return s.transition(ctx, run, func(tx *transaction, now lockedRun) error {
		after := finalize(now.run, app.Created, tx.time())
		after.Attempt--
		return tx.save(now, after, query.NoteInterrupted)
	})
}

// Recover implements app.Shared.
func (s *Store) Rescue(ctx context.Context, run app.ProcessRun) error {
	return s.transition(ctx, run, func(tx *transaction, now lockedRun) error {
		if now.node != s.node {
			alive, err := tx.isAlive(now.node)
			if err != nil {
				return err
			}
			if alive {
				return app.Errorf(app.CodeConflict, "Run #%d is running on another node.", run.ID)
			}
		}
		return tx.afterCrash(now)
	})
}

// recover takes a run away from a worker who is lost.
func (tx *transaction) afterCrash(now lockedRun) error {
	after := query.AfterCrash(now.run, tx.store.options.MaxCrashes)
	after.Version-- // which ended counts
	return tx.save(now, finalize(after, after.Status, tx.time()), query.NoteCrashed)
}

// transit has a run changed that is still started by this claim.
func (s *Store) transition(ctx context.Context, run app.ProcessRun, become func(*transaction, lockedRun) error) error {
	return s.write(ctx, func(tx *transaction) error {
		now, found, err := tx.lock(run.ID)
		if err != nil {
			return err
		}
		if !found || now.run.Status != app.Started || now.run.FencingToken != run.FencingToken {
			return query.Conflict(run)
		}
		return become(tx, now)
	})
}

// ended is a started run that goes to a status, or is cancelled when its cancellation was requested.
func finalize(run app.ProcessRun, status app.Status, at time.Time) app.ProcessRun {
	run.Version++
	run.UpdatedAt = at
	if run.Status = status; !run.CancelRequestedAt.IsZero() {
		run.Status = app.Cancelled
	}
	run.ScheduledAt = time.Time{}
	if run.Status.Final() {
		run.FinishedAt = at
	}
	return run
}

// finished is a started run after an attempt. A person's wish to stop it outlives whatever else becomes of it.
func afterAttempt(run app.ProcessRun, outcome app.Outcome, at time.Time) app.ProcessRun {
	run = finalize(run, outcome.Status, at)
	run.Error = outcome.Error
	switch {
	case run.Status == app.Cancelled && outcome.Status == app.Completed:
		run.Error = query.NoteFinished
	case run.Status == app.Created && outcome.RetryIn > 0:
		run.ScheduledAt = at.Add(outcome.RetryIn).Truncate(time.Millisecond)
	}
	return run
}

// locked is a run that nobody else can change until the end of the transaction.
type lockedRun struct {
	run  app.ProcessRun
	job  int64
	node int64 // which works on the run if it is started, or 0
}

// lock returns a run as it is, if there is one.
func (tx *transaction) lock(id int64) (l lockedRun, found bool, err error) {
	var row struct {
		query.Run
		Job  int64 `db:"job"`
		Node int64 `db:"node"`
	}
	found, err = tx.find(&row, lockRun, id)
	return lockedRun{run: row.App(), job: row.Job, node: row.Node}, found, err
}

// time is when all of the transaction happens, as it is kept.
func (tx *transaction) time() time.Time { return query.FromMillis(tx.now.UnixMilli()) }

// save makes of a run what it has become, and sees to all that belongs to it: its job, what it failed with, its events, with
// the note or else its error, and what searches find it by.
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
		if run.Failure, err = tx.failure(query.NewFailed(run.Kind, run.Error), tx.now.UnixMilli()); err != nil {
			return err
		}
	case before.run.Status == app.Created && run.Status == app.Cancelled:
		if _, err := tx.cancelJob(job); err != nil {
			return err
		}
	}
	err := tx.exec(saveRun, run.Status, run.Version, run.Attempt, run.Crashes, run.Error, query.Millis(run.UpdatedAt), query.Millis(run.StartedAt),
		query.Millis(run.FinishedAt), query.Millis(run.ScheduledAt), query.Millis(run.CancelRequestedAt), run.Percent, run.Message, run.Failure, job, run.ID, cmp.Or(note, run.Error))
	if err == nil && run.Error != "" && run.Error != before.run.Error && !query.NeverSearched(run.Kind) {
		err = tx.index(run.ID, query.ErrorPart, query.Terms(run.ID, run.Error))
	}
	if run.Status != app.Started {
		tx.happenings = append(tx.happenings, query.NewStatsEvent(run, run.UpdatedAt.Sub(run.StartedAt)))
	}
	return err
}
