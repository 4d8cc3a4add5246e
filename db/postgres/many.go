package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// completeRuns completes runs, and returns them. Completions happen to almost every run, so they are batched:
// a coalescer changes the runs of concurrent callers with one statement. The statement does what app.Finish
// does to a run without a cancel request; the conformance suite compares them.
//
// Its arguments are the time, the run ids, their fencing tokens, and the node. The planner does not see the
// arrays behind SELECT: where their lengths made plans for single batches look cheaper than one for all, it
// planned every statement anew, for longer than it took. Nor does it see the conditions behind IS TRUE: it
// would use an index of statuses, through the remains of all runs that have been in the status before.
var completeRuns = query.SQL(`WITH changed AS (UPDATE process_runs SET node = $4, status = :completed,
		version = version + 1, error = '', updated_at = $1, finished_at = $1, scheduled_at = 0
		FROM unnest((SELECT $2::bigint[]), (SELECT $3::bigint[])) AS requested (run, expected)
		WHERE id = run
			AND (status = :started AND fencing_token = expected AND cancel_requested_at = 0) IS TRUE
		RETURNING expected, ` + query.Columns + `),
	` + addEvents("''", "-1") + `
	SELECT expected, ` + query.Columns + ` FROM changed`)

// completeMany executes completeRuns for a coalescer, and sets the results of the requests.
func (s *Store) completeMany(ctx context.Context, batch []*updateRequest) error {
	// The batch has its own deadline, whichever caller executes it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	var runs, expected []int64
	for _, request := range batch {
		runs = append(runs, request.run)
		expected = append(expected, request.expected)
	}
	var changed []struct {
		query.Run
		Expected int64 `db:"expected"`
	}
	now := s.options.Now().UnixMilli()
	err := s.db.SelectContext(ctx, &changed, completeRuns, now, runs, expected, s.node)
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

// complete completes a started run and returns it. It fails with CodeConflict if the run is not started with
// the fencing token of run, or its cancellation was requested.
func (s *Store) complete(ctx context.Context, run app.ProcessRun) (done app.ProcessRun, err error) {
	err = s.retry(ctx, func(ctx context.Context, _ time.Time) (bool, []query.StatsEvent, error) {
		request := &updateRequest{run: run.ID, expected: run.FencingToken} // each try needs a new one
		if done, err = s.completions.change(ctx, request); err == nil && done.ID == 0 {
			err = query.Conflict(run)
		}
		if err != nil {
			return false, nil, err
		}
		took := done.FinishedAt.Sub(done.StartedAt)
		return true, []query.StatsEvent{query.NewStatsEvent(done, took)}, nil
	})
	return done, err
}
