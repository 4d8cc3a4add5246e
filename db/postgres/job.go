package postgres

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/riverqueue/river"

	"runboard/app"
	"runboard/db/query"
)

// maxAttempts is the largest number of attempts that River allows. A job is used up by its first one.
const maxAttempts = math.MaxInt16

// Priorities of jobs. A requeued run is older than most that are waiting, and the oldest run goes first. A
// snoozed run goes behind the others.
const (
	priorityRequeued = 1
	priorityNew      = 2
)

const (
	// schedulerAhead is how long before they are due ScheduleJobs makes jobs available. It is longer than the
	// interval at which the leader calls it.
	schedulerAhead = 10 * time.Second
	// dueSoon is the end of the condition that something is due within schedulerAhead.
	dueSoon = ` < now() + interval '10 seconds'`
	// scheduleBatch is the most jobs that one statement of ScheduleJobs changes.
	scheduleBatch = 1000
)

const (
	// makeAvailable makes jobs available that are due before ScheduleJobs is sure to see them.
	makeAvailable = `UPDATE river_job SET state = 'available'
		WHERE id = ANY ($1) AND state = 'scheduled' AND scheduled_at` + dueSoon
	// scheduleJobs makes jobs of the queues $1 available that are due soon, at most $2. All columns of the index
	// but the last are in the condition, so that jobs that are due later cost nothing.
	scheduleJobs = `WITH scheduled AS (UPDATE river_job SET state = 'available' WHERE id IN (
				SELECT id FROM river_job
				WHERE state = 'scheduled' AND queue = ANY ($1) AND priority IN (1, 2) AND scheduled_at` + dueSoon + `
				LIMIT $2 FOR UPDATE SKIP LOCKED)
			RETURNING id)
		SELECT count(*) FROM scheduled`
	// dropJob deletes a job, unless it is running: a node of an older version may have it.
	dropJob = `DELETE FROM river_job WHERE id = $1 AND state <> 'running' RETURNING true`
)

// ScheduleJobs implements app.ClusterStore.
func (s *Store) ScheduleJobs(ctx context.Context) (total int, err error) {
	for n := scheduleBatch; n == scheduleBatch; total += n {
		err := s.retry(ctx, func(ctx context.Context, _ time.Time) (bool, []query.StatsEvent, error) {
			return false, nil, s.pool.QueryRow(ctx, scheduleJobs, queueNames, scheduleBatch).Scan(&n)
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

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
		if run.Status == app.Created && run.Version > 1 {
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

// dropJob deletes a job. dropped is false if the job does not exist, or a node of an older version has it.
func (tx *transaction) dropJob(id int64) (dropped bool, err error) {
	_, err = tx.Find(&dropped, dropJob, id)
	return dropped, err
}
