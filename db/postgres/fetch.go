package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/app"
	"runboard/db/query"
)

// startJobs starts the runs of the oldest available jobs of a queue, and deletes these jobs: the start of a
// run uses up its job. It takes no job whose run another transaction has locked, is snoozed, or may have to
// wait for more than a worker; these need StartJob. It returns the jobs that it has looked at, with the runs
// that it has started. Nothing waits for a lock, because transactions lock runs before jobs.
//
// Its arguments are the time, the node, the queue, the kinds of jobs, the most jobs to look at, the kinds of
// runs that may start, and the most runs to start. For IS TRUE, see completeRuns: with thousands of created
// runs, their index made it a hundred times slower.
var startJobs = query.SQL(`WITH due AS MATERIALIZED (
		SELECT id AS waiting, (args->>'run')::bigint AS run, row_number() OVER () AS place FROM (
			SELECT id, args FROM river_job
			WHERE state = 'available' AND queue = $3 AND kind = ANY ($4) AND scheduled_at <= now()
			ORDER BY priority, scheduled_at, id LIMIT $5 FOR UPDATE SKIP LOCKED) AS oldest),
	startable AS MATERIALIZED (SELECT process_runs.id AS run, job, greatest(updated_at, scheduled_at) AS due_since
		FROM due JOIN process_runs ON process_runs.id = due.run AND job = due.waiting
		WHERE (status = :created AND kind = ANY ($6)) IS TRUE
			AND NOT EXISTS (SELECT FROM paused_kinds WHERE paused_kinds.kind = process_runs.kind)
		ORDER BY place LIMIT $7 FOR UPDATE OF process_runs SKIP LOCKED),
	used AS (DELETE FROM river_job USING startable WHERE river_job.id = startable.job),
	changed AS (UPDATE process_runs SET node = $2, ` + setStarted + `
		FROM startable WHERE id = startable.run
		RETURNING startable.due_since, process_runs.job, ` + query.Columns + `),
	` + addEvents("''", query.LogOffsetOf("changed")) + `
	SELECT waiting, run, due_since, ` + query.Columns + `
	FROM due LEFT JOIN changed ON changed.job = due.waiting ORDER BY place`)

// anyJob is the query for whether startJobs would look at a job. It costs a twentieth of a startJobs that
// finds none.
const anyJob = `SELECT EXISTS (SELECT FROM river_job
	WHERE state = 'available' AND queue = $1 AND kind = ANY ($2) AND scheduled_at <= now())`

// StartJobs implements app.ClusterStore.
func (s *Store) StartJobs(
	ctx context.Context, request app.JobRequest,
) (started []app.ProcessRun, left []app.WaitingJob, err error) {
	s.starting.RLock()
	defer s.starting.RUnlock()
	var jobs, startable []string
	for _, kind := range request.Kinds {
		jobs = append(jobs, app.Job{RunKind: kind}.Kind())
		if !s.mayWait(kind) {
			startable = append(startable, kind)
		}
	}
	queue := s.queues[request.Queue]
	err = s.retry(ctx, func(ctx context.Context, now time.Time) (bool, []query.StatsEvent, error) {
		if queue.empty.Load() {
			var any bool
			err := s.pool.QueryRow(ctx, anyJob, request.Queue, jobs).Scan(&any)
			if err != nil || !any {
				return false, nil, err
			}
		}
		fetch := func(startable []string) (events []query.StatsEvent, err error) {
			found, err := s.pool.Query(ctx, startJobs,
				now.UnixMilli(), s.node, request.Queue, jobs, request.Most, startable, request.Slots)
			if err == nil {
				started, left, events, err = readStarted(found)
			}
			return events, err
		}
		events, err := fetch(startable)
		if isRefusal(err) { // of one run: each is started alone, so that this one stops no others
			events, err = fetch(nil)
		}
		queue.empty.Store(err == nil && len(started)+len(left) == 0)
		return len(started) > 0, events, err
	})
	return started, left, err
}

// readStarted reads the result of startJobs.
func readStarted(
	found pgx.Rows,
) (started []app.ProcessRun, left []app.WaitingJob, events []query.StatsEvent, err error) {
	defer found.Close()
	for found.Next() {
		var job app.WaitingJob
		if found.RawValues()[2] == nil { // the run has not been started, and the other columns are NULL
			columns := make([]any, len(found.RawValues()))
			columns[0], columns[1] = &job.ID, &job.Run
			if err := found.Scan(columns...); err != nil {
				return nil, nil, nil, err
			}
			left = append(left, job)
			continue
		}
		var row query.Run
		var dueSince int64
		if err := found.Scan(append([]any{&job.ID, &job.Run, &dueSince}, row.Fields()...)...); err != nil {
			return nil, nil, nil, err
		}
		run := row.App()
		started = append(started, run)
		events = append(events, query.NewStatsEvent(run, run.StartedAt.Sub(query.FromMillis(dueSince))))
	}
	return started, left, events, found.Err()
}
