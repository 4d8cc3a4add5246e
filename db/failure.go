package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// maxFailures is how many different failures are kept apart. Beyond it, those of a kind that are new go together.
const maxFailures = 10_000

// otherErrors is the pattern of those. It has a sign that no pattern has.
const otherErrors = "other errors (more than 10,000 different ones)"

const (
	findFailure = `SELECT id FROM failures WHERE kind = ? AND pattern = ?`
	// Ids are given in order, so that there are rarely so many that they have to be counted.
	addFailure = `INSERT INTO failures (kind, pattern, example, first_at, last_at) SELECT ?1, ?2, ?3, ?4, ?4
		WHERE ?5 OR (SELECT ifnull(max(id) - min(id) + 1, 0) FROM failures) < ?6 OR (SELECT COUNT(*) FROM failures) < ?6
		RETURNING id`
	dropFailures     = `DELETE FROM failures WHERE n = 0 AND last_at < ?`
	dropFailureHours = `DELETE FROM failure_hours WHERE hour < ?`

	mostFailures  = `SELECT id, kind, pattern, example, first_at, last_at, n FROM failures WHERE n > 0 ORDER BY n DESC, last_at DESC, id LIMIT ?`
	oneFailure    = `SELECT id, kind, pattern, example, first_at, last_at, n FROM failures WHERE id = ?`
	countFailures = `SELECT COUNT(*) AS failures, ifnull(SUM(n), 0) AS runs FROM failures WHERE n > 0`
	readHours     = `SELECT failure, hour, n FROM failure_hours WHERE failure IN (SELECT value FROM json_each(?1)) AND hour > ?2 AND hour <= ?3`
)

// failureRow is a row of failures.
type failureRow struct {
	ID      int64  `db:"id"`
	Kind    string `db:"kind"`
	Pattern string `db:"pattern"`
	Example string `db:"example"`
	FirstAt int64  `db:"first_at"`
	LastAt  int64  `db:"last_at"`
	N       int64  `db:"n"`
}

func (r failureRow) failure() app.Failure {
	return app.Failure{
		ID: r.ID, Kind: r.Kind, Pattern: r.Pattern, Example: r.Example,
		FirstAt: fromMillis(r.FirstAt), LastAt: fromMillis(r.LastAt), Runs: r.N,
	}
}

// failed is a run that fails.
type failed struct{ kind, pattern, text string }

// newFailed does what takes time, and so is not done while others wait for the writer.
func newFailed(kind, text string) failed {
	return failed{kind: kind, pattern: cmp.Or(app.Pattern(text), "no error text"), text: text}
}

// failure returns the id of what a run that fails has in common with others.
func (tx *transaction) failure(f failed, at int64) (id int64, err error) {
	return f.find(at, func(id *int64, args ...any) (bool, error) { return tx.find(tx.findFailure, id, args...) },
		func(id *int64, args ...any) (bool, error) { return tx.find(tx.addFailure, id, args...) })
}

// find looks for the id, or adds what is new, or as one of the others when there are too many.
func (f failed) find(at int64, find, add func(id *int64, args ...any) (found bool, err error)) (id int64, err error) {
	for _, pattern := range []string{f.pattern, otherErrors} {
		if found, err := find(&id, f.kind, pattern); err != nil || found {
			return id, err
		}
		if added, err := add(&id, f.kind, pattern, f.text, at, pattern == otherErrors, maxFailures); err != nil || added {
			return id, err
		}
	}
	return 0, nil
}

// failureIn is failure for whoever has a transaction before there is a writer.
func failureIn(ctx context.Context, tx *sqlx.Tx, f failed, at int64) (int64, error) {
	get := func(text string) func(id *int64, args ...any) (bool, error) {
		return func(id *int64, args ...any) (bool, error) {
			err := tx.GetContext(ctx, id, text, args...)
			if errors.Is(err, sql.ErrNoRows) {
				return false, nil
			}
			return err == nil, err
		}
	}
	return f.find(at, get(findFailure), get(addFailure))
}

// groupFailures finds what the failed runs of a file from before have in common.
func groupFailures(ctx context.Context, pool *sqlx.DB) error {
	const ungrouped = `SELECT id, kind, error, finished_at FROM process_runs
		WHERE status = 3 AND id > ? AND NOT EXISTS (SELECT 1 FROM failures) ORDER BY id LIMIT ?`
	var first []failedRow
	if err := pool.SelectContext(ctx, &first, ungrouped, 0, 1); err != nil || len(first) == 0 {
		return err
	}
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	const some = 5000                    // runs, in memory at once
	const next = `SELECT id, kind, error, finished_at FROM process_runs WHERE status = 3 AND id > ? ORDER BY id LIMIT ?`
	for last := int64(0); ; {
		var rows []failedRow
		if err := tx.SelectContext(ctx, &rows, next, last, some); err != nil {
			return err
		}
		if len(rows) == 0 {
			return tx.Commit()
		}
		for _, row := range rows {
			id, err := failureIn(ctx, tx, newFailed(row.Kind, row.Error), row.FinishedAt)
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE process_runs SET failure = ? WHERE id = ?", id, row.ID)
			}
			if err != nil {
				return err
			}
			last = row.ID
		}
	}
}

// failedRow is of a failed run what groupFailures needs.
type failedRow struct {
	ID         int64  `db:"id"`
	Kind       string `db:"kind"`
	Error      string `db:"error"`
	FinishedAt int64  `db:"finished_at"`
}

// pruneFailures drops failures that no run has any more, and hours that are not shown any more.
func (s *Store) pruneFailures(ctx context.Context) error {
	return s.writer.do(ctx, func(tx *transaction) error {
		dayAgo := tx.now.Add(-app.FailureHours * time.Hour)
		if err := tx.exec(tx.dropFailures, dayAgo.UnixMilli()); err != nil {
			return err
		}
		return tx.exec(tx.dropFailureHours, hourOf(dayAgo))
	})
}

func hourOf(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// Failures implements app.Store.
func (s *Store) Failures(ctx context.Context) (all app.Failures, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		var rows []failureRow
		if err := tx.SelectContext(ctx, &rows, mostFailures, app.MaxFailures); err != nil {
			return err
		}
		ids := make([]int64, len(rows))
		all.Failures = make([]app.Failure, len(rows))
		at := make(map[int64]int, len(rows))
		for i, row := range rows {
			ids[i], all.Failures[i], at[row.ID] = row.ID, row.failure(), i
		}
		var counts struct{ Failures, Runs int64 }
		if err := tx.GetContext(ctx, &counts, countFailures); err != nil {
			return err
		}
		all.Groups, all.Runs = counts.Failures, counts.Runs
		return addHours(ctx, tx, hourOf(s.options.Now()), ids, func(id int64, hour int, n int64) { all.Failures[at[id]].Hours[hour] = n })
	})
	return all, err
}

// addHours tells how often each of some failures happened in the hours up to now, of which the last is the present one.
func addHours(ctx context.Context, tx *sqlx.Tx, now int64, failures []int64, tell func(failure int64, hour int, n int64)) error {
	ids, err := json.Marshal(failures)
	if err != nil {
		return err
	}
	var rows []struct{ Failure, Hour, N int64 }
	before := now - app.FailureHours
	if err := tx.SelectContext(ctx, &rows, readHours, string(ids), before, now); err != nil {
		return err
	}
	for _, row := range rows {
		tell(row.Failure, int(row.Hour-before-1), row.N)
	}
	return nil
}

// readFailure returns what a filter asks for, or nothing when there is none.
func readFailure(ctx context.Context, tx *sqlx.Tx, id int64) (app.Failure, error) {
	if id == 0 {
		return app.Failure{}, nil
	}
	var row failureRow
	err := tx.GetContext(ctx, &row, oneFailure, id)
	if errors.Is(err, sql.ErrNoRows) {
		return app.Failure{}, nil
	}
	return row.failure(), err
}
