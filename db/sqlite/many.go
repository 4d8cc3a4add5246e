package sqlite

import (
	"context"
	"encoding/json"

	"runboard/app"
	"runboard/db/query"
)

// StartMany and CompleteMany change many runs with one statement each, because most of the cost of a change
// is the call. The statements do what app.Start and app.Finish do to a run without a cancel request; the
// conformance suite compares them. The runs are bound as one JSON argument. The + in +status keeps SQLite
// from scanning all runs in a status.
var (
	startRuns = query.SQL(`UPDATE process_runs
		SET status = :started, version = version + 1, attempt = attempt + 1,
			fencing_token = fencing_token + 1, error = '', started_at = ?1, updated_at = ?1,
			scheduled_at = 0, percent = -1, message = ''
		WHERE id IN (SELECT value FROM json_each(?2)) AND +status = :created
			AND kind NOT IN (SELECT kind FROM paused_kinds)
		RETURNING id, version, attempt, fencing_token`)
	completeRuns = query.SQL(`UPDATE process_runs
		SET status = :completed, version = version + 1, updated_at = ?1, finished_at = ?1, scheduled_at = 0
		FROM json_each(?2) AS mine
		WHERE process_runs.id = mine.key AND fencing_token = mine.value
			AND +status = :started AND cancel_requested_at = 0
		RETURNING id, version, attempt, fencing_token`)
)

var addEvents = query.SQL(`INSERT INTO run_events (run_id, version, at, status, attempt, note, log_offset)
	SELECT id, version, updated_at, status, attempt, '',
		CASE WHEN status = :started THEN ` + query.LogOffsetOf("process_runs") + ` ELSE -1 END
	FROM process_runs WHERE id IN (SELECT value FROM json_each(?))`)

// StartMany implements app.QueueStore.
func (s *Store) StartMany(ctx context.Context, runs []app.ProcessRun) (started []app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) (err error) {
		started, err = tx.startMany(runs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return started, nil
}

// CompleteMany implements app.QueueStore.
func (s *Store) CompleteMany(ctx context.Context, runs []app.ProcessRun) (stale []app.ProcessRun, err error) {
	err = s.write(ctx, func(tx *transaction) (err error) {
		stale, err = tx.completeMany(runs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stale, nil
}

// startMany starts the runs that are still created and returns them, in any order. It skips the others.
func (tx *transaction) startMany(runs []app.ProcessRun) (started []app.ProcessRun, err error) {
	ids := make([]int64, len(runs))
	created := make(map[int64]app.ProcessRun, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
		created[run.ID] = run
	}
	changed, err := tx.changeMany(startRuns, app.Created, app.Started, ids)
	started = make([]app.ProcessRun, 0, len(changed))
	for _, row := range changed {
		run := created[row.id]
		next := row.started(run, tx)
		tx.events = append(tx.events, query.NewStatsEvent(next, tx.now.Sub(query.DueSince(run))))
		started = append(started, next)
	}
	return started, err
}

// completeMany completes the runs that are still started with the same fencing token. It returns the stale
// runs, which it leaves unchanged. A run with a cancel request takes the slow path through app.Finish, which
// cancels it.
func (tx *transaction) completeMany(runs []app.ProcessRun) (stale []app.ProcessRun, err error) {
	tokens := make(map[int64]int64, len(runs))
	unchanged := make(map[int64]app.ProcessRun, len(runs))
	for _, run := range runs {
		tokens[run.ID] = run.FencingToken
		unchanged[run.ID] = run
	}
	changed, err := tx.changeMany(completeRuns, app.Started, app.Completed, tokens)
	if err != nil {
		return nil, err
	}
	for _, row := range changed {
		run := unchanged[row.id]
		delete(unchanged, row.id)
		done := app.ProcessRun{Kind: run.Kind, Status: app.Completed}
		tx.events = append(tx.events, query.NewStatsEvent(done, tx.now.Sub(run.StartedAt)))
	}
	for _, run := range unchanged { // cancellation was requested, or another worker owns the run
		err := tx.changeAttempt(run, finishWith(app.Outcome{Status: app.Completed}))
		switch app.CodeOf(err) {
		case "":
		case app.CodeConflict:
			stale = append(stale, run)
		default:
			return nil, err
		}
	}
	return stale, nil
}

// changedRow is the RETURNING row of startRuns and completeRuns for one changed run.
type changedRow struct {
	id, version, token int64
	attempt            int
}

// started converts run, as read before its start, and the row of the start into the started run.
func (r changedRow) started(run app.ProcessRun, tx *transaction) app.ProcessRun {
	return app.ProcessRun{
		ID: run.ID, Kind: run.Kind, Status: app.Started, Version: r.version, Attempt: r.attempt,
		FencingToken: r.token, Crashes: run.Crashes, CreatedAt: run.CreatedAt, UpdatedAt: tx.time(),
		StartedAt: tx.time(), Progress: app.Progress{Percent: app.NoPercent},
		InputCount: run.InputCount, ConcurrencyKey: run.ConcurrencyKey,
	}
}

// changeMany executes a statement that takes runs from one status to another, and updates the counts and the
// history. It returns the changed runs, in any order.
func (tx *transaction) changeMany(statement string, from, to app.Status, runs any) ([]changedRow, error) {
	changed, err := tx.queryChanged(statement, runs)
	if err != nil || len(changed) == 0 {
		return nil, err
	}
	tx.counts[from] -= int64(len(changed))
	tx.counts[to] += int64(len(changed))
	tx.changed = true
	ids := make([]int64, len(changed))
	for i, row := range changed {
		ids[i] = row.id
	}
	if err := tx.Exec(addEvents, query.JSONArray(ids)); err != nil {
		return nil, err
	}
	for _, row := range changed {
		if err := tx.dropOldEvents(row.id, row.version); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// queryChanged executes a statement with runs as its JSON argument and returns the rows of the runs it
// changed.
func (tx *transaction) queryChanged(statement string, runs any) (changed []changedRow, err error) {
	list, err := json.Marshal(runs)
	if err != nil {
		return nil, err
	}
	found, err := tx.conn.QueryContext(context.Background(), statement, tx.now.UnixMilli(), string(list))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var row changedRow
		if err := found.Scan(&row.id, &row.version, &row.attempt, &row.token); err != nil {
			return nil, err
		}
		changed = append(changed, row)
	}
	return changed, found.Err()
}
