// Package query is what stores in SQL databases have in common: how runs, logs, failures, actions and statistics lie in
// tables, and how pages are read from them. A Board answers what is asked of it, in any database that has a Dialect.
// Writing is each store's own business.
package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// Reader is what is read from: a transaction, so that all that is read is of one state. Texts have ? for their arguments.
type Reader interface {
	sqlx.QueryerContext
	Rebind(text string) string
}

// Get reads one row.
func Get(ctx context.Context, from Reader, row any, text string, args ...any) error {
	return sqlx.GetContext(ctx, from, row, from.Rebind(text), args...)
}

// Find reads one row, if there is one, and reports whether there is.
func Find(ctx context.Context, from Reader, row any, text string, args ...any) (bool, error) {
	err := Get(ctx, from, row, text, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Select reads any number of rows.
func Select(ctx context.Context, from Reader, rows any, text string, args ...any) error {
	return sqlx.SelectContext(ctx, from, rows, from.Rebind(text), args...)
}

// each reads rows one after the other, each into row before f is called, until f returns false.
func each(ctx context.Context, from Reader, row any, f func() (bool, error), text string, args ...any) error {
	rows, err := from.QueryxContext(ctx, from.Rebind(text), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.StructScan(row); err != nil {
			return err
		}
		if more, err := f(); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// List makes one argument of any number of values.
func JSONArray[T any](values []T) (string, error) {
	if values == nil {
		return "[]", nil
	}
	list, err := json.Marshal(values)
	return string(list), err
}

// Columns are those of process_runs, in the order of all texts that have them.
const Columns = `id, kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, started_at, finished_at, scheduled_at,
	cancel_requested_at, percent, message, failure`

// Run is a row of process_runs.
type Run struct {
	ID                int64  `db:"id"`
	Kind              string `db:"kind"`
	Status            int8   `db:"status"`
	Version           int64  `db:"version"`
	Attempt           int    `db:"attempt"`
	Crashes           int    `db:"crashes"`
	FencingToken      int64  `db:"fencing_token"`
	Error             string `db:"error"`
	CreatedAt         int64  `db:"created_at"`
	UpdatedAt         int64  `db:"updated_at"`
	StartedAt         int64  `db:"started_at"`
	FinishedAt        int64  `db:"finished_at"`
	ScheduledAt       int64  `db:"scheduled_at"`
	CancelRequestedAt int64  `db:"cancel_requested_at"`
	Percent           int8   `db:"percent"`
	Message           string `db:"message"`
	Failure           int64  `db:"failure"`
}

// App is the run that the row is of.
func (r Run) App() app.ProcessRun {
	return app.ProcessRun{
		ID: r.ID, Kind: r.Kind, Status: app.Status(r.Status), Version: r.Version, Attempt: r.Attempt,
		Crashes: r.Crashes, FencingToken: r.FencingToken, Error: r.Error, Failure: r.Failure,
		CreatedAt: FromMillis(r.CreatedAt), UpdatedAt: FromMillis(r.UpdatedAt), StartedAt: FromMillis(r.StartedAt),
		FinishedAt: FromMillis(r.FinishedAt), ScheduledAt: FromMillis(r.ScheduledAt), CancelRequestedAt: FromMillis(r.CancelRequestedAt),
		Progress: app.Progress{Percent: app.Percent(r.Percent), Message: r.Message},
	}
}

// fields are where the columns go.
func (r *Run) fields() []any {
	return []any{
		&r.ID, &r.Kind, &r.Status, &r.Version, &r.Attempt, &r.Crashes, &r.FencingToken, &r.Error, &r.CreatedAt, &r.UpdatedAt, &r.StartedAt, &r.FinishedAt,
		&r.ScheduledAt, &r.CancelRequestedAt, &r.Percent, &r.Message, &r.Failure,
	}
}

// ReadRuns reads runs by a text that has all their columns. It scans by hand: a queue may read each run that way, and finding
// fields by their names costs as much as reading.
func ReadRuns(ctx context.Context, from Reader, text string, args ...any) (runs []app.ProcessRun, err error) {
	found, err := from.QueryContext(ctx, from.Rebind(text), args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var row Run
	fields := row.fields()
	for found.Next() {
		if err := found.Scan(fields...); err != nil {
			return nil, err
		}
		runs = append(runs, row.App())
	}
	return runs, found.Err()
}

// FromMillis is the time that is kept as so many milliseconds since 1970; 0 is none.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Millis is how a time is kept.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// CountBy reads counts by status, of which those that are missing are 0.
func CountBy(ctx context.Context, from Reader, text string, args ...any) (counts app.Counts, err error) {
	var found []struct {
		Status app.Status `db:"status"`
		N      int64      `db:"n"`
	}
	if err := Select(ctx, from, &found, text, args...); err != nil {
		return counts, err
	}
	for _, row := range found {
		counts[row.Status] = row.N
	}
	return counts, nil
}

// NotFound is what is said of a run that does not exist.
func NotFound(id int64) error { return app.Errorf(app.CodeNotFound, "There is no run #%d.", id) }

// Conflict is what is said when a run is no longer what it is taken for.
func Conflict(run app.ProcessRun) error {
	return app.Errorf(app.CodeConflict, "Run #%d is no longer %s.", run.ID, run.Status)
}

// Unavailable is what people are told of a fault of the database.
func Unavailable(err error) error {
	if _, ok := errors.AsType[*app.Error](err); ok {
		return err
	}
	return &app.Error{Code: app.CodeUnavailable, Message: "The database cannot be used just now. Please try again in a moment.", Err: err}
}

// ErrClosed is what is said when a store has been closed.
var ErrClosed = &app.Error{Code: app.CodeUnavailable, Message: "The server is shutting down."}

// Newer is why a database is refused that has been through migrations that this program does not know.
func ErrSchemaTooNew(version, known int) error {
	return fmt.Errorf("was made by a newer version of Runboard (schema %d, this one knows %d)", version, known)
}
