package sqlite

import (
	"encoding/json"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// StartMany and CompleteMany change many runs with one statement each, because most of the cost of a change
// is the call. The statements do what app.Start and app.Finish do to a run without a cancel request; the
// conformance suite compares them. The runs are bound as one JSON argument. The + in +status keeps SQLite
// from scanning all runs in a status.
const (
	startRuns = `UPDATE process_runs
		SET status = 1, version = version + 1, attempt = attempt + 1, fencing_token = fencing_token + 1, error = '',
			started_at = ?1, updated_at = ?1, scheduled_at = 0, percent = -1, message = ''
		WHERE id IN (SELECT value FROM json_each(?2)) AND +status = 0
		RETURNING id, version, attempt, fencing_token`
	completeRuns = `UPDATE process_runs
		SET status = 2, version = version + 1, updated_at = ?1, finished_at = ?1, scheduled_at = 0
		FROM json_each(?2) AS mine
		WHERE process_runs.id = mine.key AND fencing_token = mine.value AND +status = 1 AND cancel_requested_at = 0
		RETURNING id, version, attempt, fencing_token`
	addEvents = `INSERT INTO run_events (run_id, version, at, status, attempt, note)
		SELECT id, version, updated_at, status, attempt, '' FROM process_runs WHERE id IN (SELECT value FROM json_each(?))`
)

// changedRow is the RETURNING row of startRuns and completeRuns for one changed run.
type changedRow struct {
	id, version, claim int64
	attempt            int
}

// changeMany runs statement, which takes runs from one status to another, and updates the counts and the
// history. It returns the changed runs, in any order.
func (tx *transaction) changeMany(statement *sqlx.Stmt, from, to app.Status, runs any) ([]changedRow, error) {
	changed, err := tx.findChanged(statement, runs)
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
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	if err := tx.exec(tx.addEvents, string(list)); err != nil {
		return nil, err
	}
	for _, row := range changed {
		if err := tx.dropOld(row.id, row.version); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// findChanged runs statement with runs as its JSON argument and returns the rows of the runs it changed.
func (tx *transaction) findChanged(statement *sqlx.Stmt, runs any) (changed []changedRow, err error) {
	list, err := json.Marshal(runs)
	if err != nil {
		return nil, err
	}
	found, err := statement.Query(tx.now.UnixMilli(), string(list))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var row changedRow
		if err := found.Scan(&row.id, &row.version, &row.attempt, &row.claim); err != nil {
			return nil, err
		}
		changed = append(changed, row)
	}
	return changed, found.Err()
}

// startMany starts the runs that are still created and returns them, in any order. It skips the others.
func (tx *transaction) startMany(runs []app.ProcessRun) (started []app.ProcessRun, err error) {
	ids, waiting := make([]int64, len(runs)), make(map[int64]app.ProcessRun, len(runs))
	for i, run := range runs {
		ids[i], waiting[run.ID] = run.ID, run
	}
	changed, err := tx.changeMany(tx.startRuns, app.Created, app.Started, ids)
	started = make([]app.ProcessRun, 0, len(changed))
	for _, row := range changed {
		started = append(started, tx.started(waiting[row.id], row))
	}
	return started, err
}

// started converts run, as read before its start, and the RETURNING row of the start into the started run. It
// records how long the run waited.
func (tx *transaction) started(run app.ProcessRun, row changedRow) app.ProcessRun {
	waited := tx.now.Sub(query.DueSince(run))
	now := query.FromMillis(tx.now.UnixMilli())
	run = app.ProcessRun{
		ID: run.ID, Kind: run.Kind, Status: app.Started, Version: row.version, Attempt: row.attempt, FencingToken: row.claim,
		Crashes: run.Crashes, CreatedAt: run.CreatedAt, UpdatedAt: now, StartedAt: now, Progress: app.Progress{Percent: app.NoPercent},
	}
	tx.recordStats(run, waited)
	return run
}

// completeMany completes the runs that are still started with the same fencing token. It returns the stale
// runs, which it leaves unchanged. A run with a cancel request takes the slow path through app.Finish, which
// cancels it.
func (tx *transaction) completeMany(runs []app.ProcessRun) (stale []app.ProcessRun, err error) {
	claims, left := make(map[int64]int64, len(runs)), make(map[int64]app.ProcessRun, len(runs))
	for _, run := range runs {
		claims[run.ID], left[run.ID] = run.FencingToken, run
	}
	changed, err := tx.changeMany(tx.completeRuns, app.Started, app.Completed, claims)
	if err != nil {
		return nil, err
	}
	for _, row := range changed {
		run := left[row.id]
		delete(left, row.id)
		tx.recordStats(app.ProcessRun{Kind: run.Kind, Status: app.Completed}, tx.now.Sub(run.StartedAt))
	}
	for _, run := range left { // cancellation was requested, or another worker owns the run
		_, err := tx.apply(run.ID, func(tx *transaction, current app.ProcessRun) (app.ProcessRun, app.Event, error) {
			if !sameAttempt(current, run) {
				return current, app.Event{}, query.Conflict(run)
			}
			return app.Finish(current, app.Outcome{Status: app.Completed}, tx.time())
		})
		switch app.CodeOf(err) {
		case "":
		case app.CodeConflict, app.CodeNotFound:
			stale = append(stale, run)
		default:
			return nil, err
		}
	}
	return stale, nil
}
