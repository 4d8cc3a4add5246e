package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// setStarted sets the columns of a started run. $1 is the time.
const setStarted = `status = :started, version = version + 1, attempt = attempt + 1,
	fencing_token = fencing_token + 1, error = '', started_at = $1, updated_at = $1, scheduled_at = 0,
	percent = -1, message = ''`

// Starts and completions happen to every run, so they are batched: a coalescer changes the runs of concurrent
// callers with one statement. The statements do what app.Start and app.Finish do to a run without a cancel
// request; the conformance suite compares them. A stale job does not start its run: the run has been
// cancelled and retried, and has a newer job.
var (
	startRuns = changeRuns(query.LogOffsetOf("changed"), setStarted,
		`status = :created AND version = expected AND (assigned = 0 OR job = assigned)
			AND NOT EXISTS (SELECT FROM paused_kinds WHERE paused_kinds.kind = process_runs.kind)`)
	completeRuns = changeRuns("-1", `status = :completed, version = version + 1, error = '', updated_at = $1,
			finished_at = $1, scheduled_at = 0`,
		`status = :started AND fencing_token = expected AND cancel_requested_at = 0`)
)

// changeRuns returns a statement that updates the runs that match where, and returns them. logOffset is that
// of their events. Its arguments are the time, the run ids, the expected value and the job (0 for any) of each
// run, and the node. The planner does not see the arrays behind SELECT: where their lengths made plans for
// single batches look cheaper than one for all, it planned every statement anew, for longer than it took. Nor
// does it see the conditions behind IS TRUE: it would use an index of statuses, through the remains of all runs
// that have been in the status before.
func changeRuns(logOffset, set, where string) string {
	return query.SQL(`WITH changed AS (UPDATE process_runs SET node = $5, ` + set + `
		FROM unnest((SELECT $2::bigint[]), (SELECT $3::bigint[]), (SELECT $4::bigint[]))
			AS requested (run, expected, assigned)
		WHERE id = run AND (` + where + `) IS TRUE RETURNING expected, ` + query.Columns + `),
	` + addEvents("''", logOffset) + `
	SELECT expected, ` + query.Columns + ` FROM changed`)
}

// changeMany returns the function of a coalescer that executes a statement of changeRuns.
func (s *Store) changeMany(statement string) func(ctx context.Context, batch []*updateRequest) error {
	return func(ctx context.Context, batch []*updateRequest) error {
		// The batch has its own deadline, whichever caller executes it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		defer cancel()
		return changeBatch(ctx, s.db, statement, s.options.Now(), s.node, batch)
	}
}

// changeBatch executes a statement of changeRuns, and sets the results of its requests.
func changeBatch(
	ctx context.Context, q sqlx.QueryerContext, statement string, now time.Time, node int64,
	batch []*updateRequest,
) error {
	var runs, expected, jobs []int64
	for _, request := range batch {
		runs = append(runs, request.run)
		expected = append(expected, request.expected)
		jobs = append(jobs, request.job)
	}
	var changed []struct {
		query.Run
		Expected int64 `db:"expected"`
	}
	err := sqlx.SelectContext(ctx, q, &changed, statement, now.UnixMilli(), runs, expected, jobs, node)
	if err != nil {
		return err
	}
	for _, row := range changed {
		i := slices.IndexFunc(batch, func(request *updateRequest) bool {
			return request.run == row.ID && request.expected == row.Expected
		})
		batch[i].changed = row.App() // a second request for the same run does not match
	}
	return nil
}

// changeOne updates a run through a coalescer and returns the updated run. took returns the duration for the
// statistics. It fails with CodeConflict if the run did not match.
func (s *Store) changeOne(
	ctx context.Context, by *coalescer, run app.ProcessRun, want updateRequest,
	took func(app.ProcessRun) time.Duration,
) (changed app.ProcessRun, err error) {
	err = s.retry(ctx, func(ctx context.Context, _ time.Time) (bool, []query.StatsEvent, error) {
		request := want // each attempt needs a fresh one
		if changed, err = by.change(ctx, &request); err == nil && changed.ID == 0 {
			err = query.Conflict(run)
		}
		if err != nil {
			return false, nil, err
		}
		return true, []query.StatsEvent{query.NewStatsEvent(changed, took(changed))}, nil
	})
	return changed, err
}
