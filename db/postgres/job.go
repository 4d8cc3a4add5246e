package postgres

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
)

// maxAttempts is the largest number of attempts that River allows. River retries a job only after its worker
// was lost, and the store limits that by MaxCrashes.
const maxAttempts = math.MaxInt16

// Priorities of jobs. A requeued run is older than most that are waiting, and the oldest run goes first.
const (
	priorityRequeued = 1
	priorityNew      = 2
)

// makeAvailable makes jobs that are due within five seconds available, as River does with short retries: its
// scheduler checks for due jobs only that often.
const makeAvailable = `UPDATE river_job SET state = 'available'
	WHERE id = ANY ($1) AND state = 'scheduled' AND scheduled_at < now() + interval '5 seconds'`

// addJobs inserts a job for each created run, and returns the job IDs in the same order. If the runs may
// wait, the jobs of those that are due are pending.
func (tx *transaction) addJobs(mayWait bool, runs ...app.ProcessRun) ([]int64, error) {
	params := make([]river.InsertManyParams, len(runs))
	for i, run := range runs {
		queue := app.QueueOf(run, tx.store.options.MaxCrashes)
		tx.addJob(queue, run.ScheduledAt)
		options := &river.InsertOpts{
			MaxAttempts: maxAttempts, Queue: queue,
			Priority: priorityNew, ScheduledAt: run.ScheduledAt,
			Pending: mayWait && !run.ScheduledAt.After(tx.now),
		}
		if run.Version > 1 {
			options.Priority = priorityRequeued
		}
		params[i] = river.InsertManyParams{Args: app.Job{Run: run.ID, RunKind: run.Kind}, InsertOpts: options}
	}
	added, err := tx.store.jobs.InsertManyTx(tx.ctx, tx.Tx.Tx, params)
	if err != nil {
		return nil, err
	}
	jobOf := make(map[int64]int64, len(runs)) // River does not promise an order
	for _, result := range added {
		var args app.Job
		if err := json.Unmarshal(result.Job.EncodedArgs, &args); err != nil {
			return nil, err
		}
		jobOf[args.Run] = result.Job.ID
	}
	jobs := make([]int64, len(runs))
	delayed := false
	for i, run := range runs {
		jobs[i] = jobOf[run.ID]
		delayed = delayed || !run.ScheduledAt.IsZero()
	}
	if delayed {
		return jobs, tx.Exec(makeAvailable, jobs)
	}
	return jobs, nil
}

// cancelWaitingJob is cancelJob for a bulk action, whose worker snoozes its job now and then. River would
// cancel a running job when it is snoozed, which would leave the run without a worker. The worker reads the
// request from the run instead.
func (tx *transaction) cancelWaitingJob(id int64) (snoozed bool, err error) {
	var running bool
	found, err := tx.Find(&running, `SELECT state = 'running' FROM river_job WHERE id = $1 FOR UPDATE`, id)
	if err != nil || !found || running {
		return false, err
	}
	return tx.cancelJob(id)
}

// cancelJob cancels a waiting job; if the job is running, River notifies its worker. It reports whether the
// job was snoozed: waiting after an attempt, so that no worker has it.
func (tx *transaction) cancelJob(id int64) (snoozed bool, err error) {
	job, err := tx.store.jobs.JobCancelTx(tx.ctx, tx.Tx.Tx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return false, nil
	}
	return err == nil && job.State == rivertype.JobStateCancelled && job.AttemptedAt != nil, err
}
