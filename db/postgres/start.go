package postgres

import (
	"context"
	"slices"

	"runboard/app"
	"runboard/db/query"
)

// setStarted sets the columns of a started run. $1 is the time.
const setStarted = `status = :started, version = version + 1, attempt = attempt + 1,
	fencing_token = fencing_token + 1, error = '', started_at = $1, updated_at = $1, scheduled_at = 0,
	percent = -1, message = ''`

// startRun starts a run as startJobs does, and deletes its job. It does what app.Start does; the conformance
// suite compares them. A stale job does not start its run: the run has been cancelled and retried, and has a
// newer job. Its arguments are the time, the node, the run, its version, and its job (0 for any).
var startRun = query.SQL(`WITH changed AS (UPDATE process_runs SET node = $2, ` + setStarted + `
		WHERE id = $3 AND status = :created AND version = $4 AND ($5 = 0 OR job = $5)
			AND NOT EXISTS (SELECT FROM paused_kinds WHERE paused_kinds.kind = process_runs.kind)
		RETURNING job, ` + query.Columns + `),
	used AS (DELETE FROM river_job USING changed WHERE river_job.id = changed.job),
	` + addEvents("''", query.LogOffsetOf("changed")) + `
	SELECT ` + query.Columns + ` FROM changed`)

const (
	// claimJob reports whether this transaction is the only one that starts the run of a job. It is not the
	// lock of the job's row, because transactions lock runs before jobs.
	claimJob = `SELECT pg_try_advisory_xact_lock(hashtextextended($1::bigint::text, 16))`
	// holdJob has a job wait until its run may start.
	holdJob   = `UPDATE river_job SET state = 'pending' WHERE id = $1 AND state IN ('available', 'scheduled')`
	assignRun = `UPDATE process_runs SET node = $1, job = $2 WHERE id = $3`
)

// Start implements app.WorkStore.
func (s *Store) Start(ctx context.Context, run app.ProcessRun) (started app.ProcessRun, err error) {
	s.starting.RLock()
	defer s.starting.RUnlock()
	err = s.write(ctx, func(tx *transaction) (err error) {
		var ok bool
		started, ok, err = tx.start(run, 0)
		if err == nil && !ok {
			err = query.Conflict(run)
		}
		return err
	})
	return started, err
}

// StartJob implements app.ClusterStore.
func (s *Store) StartJob(
	ctx context.Context, job app.WaitingJob,
) (started app.ProcessRun, ok bool, err error) {
	s.starting.RLock()
	defer s.starting.RUnlock()
	err = s.write(ctx, func(tx *transaction) (err error) {
		started, ok, err = tx.startJob(job)
		return err
	})
	if app.CodeOf(err) == app.CodeConflict { // the run has changed since the transaction read it
		err = nil
	}
	return started, ok && err == nil, err
}

// startJob starts the run of a job, or continues it if it is snoozed. ok is false if that does not happen
// now.
func (tx *transaction) startJob(job app.WaitingJob) (started app.ProcessRun, ok bool, err error) {
	tx.noNotify = true
	var claimed bool
	if _, err := tx.Find(&claimed, claimJob, job.ID); err != nil || !claimed {
		return started, false, err
	}
	current, found, err := tx.findRun(readRun, job.Run)
	switch {
	case err != nil:
		return started, false, err
	case !found || current.job != job.ID || current.run.Status.Final():
		_, err = tx.dropJob(job.ID) // the run has another job, or needs none
		return started, false, err
	case current.run.Status == app.Started:
		return tx.resume(job)
	}
	return tx.start(current.run, job.ID)
}

// start starts a created run, with the job if it is not 0, unless its kind is paused or its limit is full.
// Then the job is held and ok is false. start fails with CodeConflict if the run has changed since it was
// read.
func (tx *transaction) start(run app.ProcessRun, job int64) (started app.ProcessRun, ok bool, err error) {
	group := tx.store.groupOf(run)
	if err := tx.lockGroup(group); err != nil {
		return started, false, err
	}
	may, err := tx.mayStart(group, run)
	if err != nil {
		return started, false, err
	}
	if !may {
		return started, false, tx.hold(run, job)
	}
	tx.noNotify = false
	var row query.Run
	found, err := tx.Find(&row, startRun, tx.now.UnixMilli(), tx.store.node, run.ID, run.Version, job)
	if err == nil && !found {
		err = query.Conflict(run)
	}
	if err != nil {
		return started, false, err
	}
	started = row.App()
	queued := started.StartedAt.Sub(query.DueSince(run))
	tx.events = append(tx.events, query.NewStatsEvent(started, queued))
	return started, true, nil
}

// hold has the job of a created run wait until the run may start. It fails with CodeConflict if the run has
// changed since it was read.
func (tx *transaction) hold(run app.ProcessRun, job int64) error {
	current, found, err := tx.lock(run.ID)
	if err != nil {
		return err
	}
	if !found || current.run.Version != run.Version {
		return query.Conflict(run)
	}
	if job == 0 {
		return nil // no worker holds its job
	}
	tx.balance(run) // an older run may not know that it may start
	return tx.Exec(holdJob, job)
}

// resume continues a snoozed run on this node. It rescues a run that only seems to be snoozed: a node of an
// older version has given up its job.
func (tx *transaction) resume(job app.WaitingJob) (run app.ProcessRun, ok bool, err error) {
	current, found, err := tx.lock(job.Run)
	if err != nil || !found || current.job != job.ID || current.run.Status != app.Started {
		return run, false, err
	}
	if dropped, err := tx.dropJob(job.ID); err != nil || !dropped {
		return run, false, err
	}
	if !slices.Contains(app.BulkKinds(), current.run.Kind) {
		tx.noNotify = false
		_, err = tx.apply(current, (*transaction).crashUnlessAlive)
		return run, false, err
	}
	return current.run, true, tx.Exec(assignRun, tx.store.node, job.ID, job.Run)
}

// Snooze implements app.ClusterStore.
func (s *Store) Snooze(ctx context.Context, run app.ProcessRun) error {
	return s.write(ctx, func(tx *transaction) error {
		current, found, err := tx.lock(run.ID)
		if err != nil {
			return err
		}
		if !found || current.run.Status != app.Started || current.run.FencingToken != run.FencingToken {
			return query.Conflict(run)
		}
		if current.run.CancelRequested() {
			_, err = tx.apply(current, finishWith(app.Outcome{Status: app.Cancelled}))
			return err
		}
		tx.noNotify = true
		jobs, err := tx.addJobs(false, current.run)
		if err != nil {
			return err
		}
		return tx.Exec(assignRun, 0, jobs[0], run.ID)
	})
}
