package postgres

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
)

// maxAttempts is as often as River lets a job be tried. A job is tried again only when its worker was lost, and how
// often that may happen to a run is not River's business.
const maxAttempts = math.MaxInt16

// Priorities of jobs. A run that comes back to wait was created before those that wait, or most of them, and the oldest
// ones go first.
const (
	cameBack = 1
	isNew    = 2
)

// makeAvailable has nodes fetch jobs themselves that are due within five seconds, as River does with short retries. Its
// scheduler looks for due jobs only that often.
const makeAvailable = `UPDATE river_job SET state = 'available'
	WHERE id = ANY ($1) AND state = 'scheduled' AND scheduled_at < now() + interval '5 seconds'`

// addJobs adds a job for each of some runs, which wait, and returns their numbers.
func (tx *transaction) addJobs(runs ...app.ProcessRun) ([]int64, error) {
	params := make([]river.InsertManyParams, len(runs))
	for i, run := range runs {
		options := &river.InsertOpts{MaxAttempts: maxAttempts, Queue: app.QueueOf(run, tx.store.options.MaxCrashes), Priority: isNew, ScheduledAt: run.ScheduledAt}
		if run.Version > 1 {
			options.Priority = cameBack
		}
		params[i] = river.InsertManyParams{Args: app.Job{Run: run.ID, Work: run.Kind}, InsertOpts: options}
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
		return jobs, tx.exec(makeAvailable, jobs)
	}
	return jobs, nil
}

// cancelWaitingJob is cancelJob for a bulk action, whose worker puts its job aside now and then. River would cancel a
// running job when it is put aside, and no worker would have the run then. The worker learns of it from the run instead.
func (tx *transaction) cancelWaitingJob(id int64) (aside bool, err error) {
	var running bool
	found, err := tx.find(&running, `SELECT state = 'running' FROM river_job WHERE id = $1 FOR UPDATE`, id)
	if err != nil || !found || running {
		return false, err
	}
	return tx.cancelJob(id)
}

// cancelJob cancels a job that waits, and has River tell whoever works on it otherwise. It reports whether the job had been put
// aside: it waits again after somebody has worked on it, so nobody does.
func (tx *transaction) cancelJob(id int64) (aside bool, err error) {
	job, err := tx.store.jobs.JobCancelTx(tx.ctx, tx.Tx.Tx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return false, nil
	}
	return err == nil && job.State == rivertype.JobStateCancelled && job.AttemptedAt != nil, err
}
