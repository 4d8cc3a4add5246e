package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/app"
	"runboard/db/query"
)

// startJobs starts the runs of the oldest available jobs of a queue, and deletes these jobs: the start of a
// run uses up its job. It takes no job whose run another transaction has locked, or may have to wait for more
// than a worker; River delivers these. It returns the number of jobs that it has looked at, and, with that,
// the started runs. Nothing waits for a lock, because transactions lock runs before jobs.
//
// Its arguments are the time, the node, the queue, the kinds of jobs, the most jobs to look at, the kinds of
// runs that may start, and the most runs to start. For IS TRUE, see changeRuns: with thousands of created runs,
// their index made it a hundred times slower.
var startJobs = query.SQL(`WITH due AS MATERIALIZED (
		SELECT id, (args->>'run')::bigint AS run, row_number() OVER () AS place FROM (
			SELECT id, args FROM river_job
			WHERE state = 'available' AND queue = $3 AND kind = ANY ($4) AND scheduled_at <= now()
			ORDER BY priority, scheduled_at, id LIMIT $5 FOR UPDATE SKIP LOCKED) AS oldest),
	startable AS MATERIALIZED (SELECT process_runs.id AS run, job, greatest(updated_at, scheduled_at) AS due_since
		FROM due JOIN process_runs ON process_runs.id = due.run AND job = due.id
		WHERE (status = :created AND kind = ANY ($6)) IS TRUE
			AND NOT EXISTS (SELECT FROM paused_kinds WHERE paused_kinds.kind = process_runs.kind)
		ORDER BY place LIMIT $7 FOR UPDATE OF process_runs SKIP LOCKED),
	used AS (DELETE FROM river_job USING startable WHERE river_job.id = startable.job),
	changed AS (UPDATE process_runs SET node = $2, ` + setStarted + `
		FROM startable WHERE id = startable.run
		RETURNING startable.due_since, process_runs.job, ` + query.Columns + `),
	` + addEvents("''", query.LogOffsetOf("changed")) + `
	SELECT (SELECT count(*) FROM due) AS looked, due_since, job, ` + query.Columns + `
	FROM (SELECT) AS one LEFT JOIN changed ON true`)

// anyJob is the query for whether startJobs would look at a job. It costs a twentieth of a startJobs that finds
// none, which an idle node would execute at each poll.
const anyJob = `SELECT EXISTS (SELECT FROM river_job
	WHERE state = 'available' AND queue = $1 AND kind = ANY ($2) AND scheduled_at <= now())`

// StartJobs implements app.ClusterStore.
func (s *Store) StartJobs(
	ctx context.Context, request app.JobRequest,
) (started []app.StartedJob, left int, err error) {
	s.starting.RLock()
	defer s.starting.RUnlock()
	var jobs, startable []string
	for _, kind := range request.Kinds {
		jobs = append(jobs, app.Job{RunKind: kind}.Kind())
		if !s.mayWait(kind) {
			startable = append(startable, kind)
		}
	}
	err = s.retry(ctx, func(ctx context.Context, now time.Time) (bool, []query.StatsEvent, error) {
		if s.noJobs.Load() {
			var any bool
			err := s.pool.QueryRow(ctx, anyJob, app.DefaultQueue, jobs).Scan(&any)
			if err != nil || !any {
				return false, nil, err
			}
		}
		found, err := s.pool.Query(ctx, startJobs,
			now.UnixMilli(), s.node, app.DefaultQueue, jobs, request.Most, startable, request.Slots)
		if err != nil {
			return false, nil, err
		}
		var events []query.StatsEvent
		started, events, left, err = readStarted(found)
		s.noJobs.Store(err == nil && len(started)+left == 0)
		return len(started) > 0, events, err
	})
	return started, left, err
}

// readStarted reads the result of startJobs. left is the number of jobs that it has left to River.
func readStarted(found pgx.Rows) (started []app.StartedJob, events []query.StatsEvent, left int, err error) {
	defer found.Close()
	var looked int
	for found.Next() {
		if found.RawValues()[1] == nil { // no run was started, and the row has only the first column
			columns := make([]any, len(found.RawValues()))
			columns[0] = &looked
			return nil, nil, looked, found.Scan(columns...)
		}
		var row query.Run
		var job, dueSince int64
		if err := found.Scan(append([]any{&looked, &dueSince, &job}, row.Fields()...)...); err != nil {
			return nil, nil, 0, err
		}
		run := row.App()
		started = append(started, app.StartedJob{ID: job, Run: run})
		events = append(events, query.NewStatsEvent(run, run.StartedAt.Sub(query.FromMillis(dueSince))))
	}
	return started, events, looked - len(started), found.Err()
}
