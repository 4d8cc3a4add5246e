package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// Queryer runs queries, usually within one transaction, so that all results are of one snapshot. Queries use
// ? for their arguments.
type Queryer interface {
	sqlx.QueryerContext
	Rebind(query string) string
}

// SQL replaces the names of statuses in a statement by their numbers: ":created", ":started", ":completed",
// ":failed", ":cancelled", and ":final" for the comma-separated list of the final ones. The numbers are
// constants for the planner. With bound parameters it could not use partial indexes.
func SQL(statement string) string { return statusNumbers.Replace(statement) }

var statusNumbers = func() *strings.Replacer {
	var pairs, final []string
	for _, status := range app.Statuses() {
		number := strconv.Itoa(int(status))
		pairs = append(pairs, ":"+status.String(), number)
		if status.Final() {
			final = append(final, number)
		}
	}
	return strings.NewReplacer(append(pairs, ":final", strings.Join(final, ", "))...)
}()

// Get reads one row into row. It fails with sql.ErrNoRows if there is none.
func Get(ctx context.Context, q Queryer, row any, statement string, args ...any) error {
	return sqlx.GetContext(ctx, q, row, q.Rebind(statement), args...)
}

// Find reads one row into row if there is one, and reports whether there is.
func Find(ctx context.Context, q Queryer, row any, statement string, args ...any) (bool, error) {
	err := Get(ctx, q, row, statement, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Select reads all rows into the slice that rows points to.
func Select(ctx context.Context, q Queryer, rows any, statement string, args ...any) error {
	return sqlx.SelectContext(ctx, q, rows, q.Rebind(statement), args...)
}

// JSONArray encodes values as one query argument, for Dialect.IntArray and Dialect.TextArray.
func JSONArray[T int64 | string](values []T) string {
	if values == nil {
		return "[]"
	}
	array, _ := json.Marshal(values) // numbers and strings cannot fail
	return string(array)
}

// Columns lists the columns of process_runs that a Run has.
const Columns = `id, kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at,
	started_at, finished_at, scheduled_at, cancel_requested_at, percent, message, failure, inputs,
	concurrency_key`

// Run is a row of process_runs. Times are in milliseconds since 1970; 0 is none.
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
	Inputs            int    `db:"inputs"`
	ConcurrencyKey    string `db:"concurrency_key"`
}

// Fields returns pointers to the fields, in the order of Columns.
func (r *Run) Fields() []any {
	return []any{
		&r.ID, &r.Kind, &r.Status, &r.Version, &r.Attempt, &r.Crashes, &r.FencingToken, &r.Error,
		&r.CreatedAt, &r.UpdatedAt, &r.StartedAt, &r.FinishedAt, &r.ScheduledAt, &r.CancelRequestedAt,
		&r.Percent, &r.Message, &r.Failure, &r.Inputs, &r.ConcurrencyKey,
	}
}

// App returns the row as a run.
func (r Run) App() app.ProcessRun {
	return app.ProcessRun{
		ID: r.ID, Kind: r.Kind, Status: app.Status(r.Status), Version: r.Version, Attempt: r.Attempt,
		Crashes: r.Crashes, FencingToken: r.FencingToken, Error: r.Error, Failure: r.Failure,
		CreatedAt: FromMillis(r.CreatedAt), UpdatedAt: FromMillis(r.UpdatedAt),
		StartedAt: FromMillis(r.StartedAt), FinishedAt: FromMillis(r.FinishedAt),
		ScheduledAt: FromMillis(r.ScheduledAt), CancelRequestedAt: FromMillis(r.CancelRequestedAt),
		Progress:   app.Progress{Percent: app.Percent(r.Percent), Message: r.Message},
		InputCount: r.Inputs, ConcurrencyKey: r.ConcurrencyKey,
	}
}

// ReadRuns reads runs with a query that selects Columns.
func ReadRuns(ctx context.Context, q Queryer, statement string, args ...any) ([]app.ProcessRun, error) {
	var rows []Run
	if err := Select(ctx, q, &rows, statement, args...); err != nil {
		return nil, err
	}
	runs := make([]app.ProcessRun, len(rows))
	for i, row := range rows {
		runs[i] = row.App()
	}
	return runs, nil
}

// FromMillis returns the time that is ms milliseconds after 1970, in UTC. 0 is the zero time.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Millis returns t in milliseconds since 1970. The zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// CountBy runs a query that returns counts by status, in the columns status and n. Missing statuses are 0.
func CountBy(ctx context.Context, q Queryer, statement string, args ...any) (counts app.Counts, err error) {
	var found []struct {
		Status app.Status `db:"status"`
		N      int64      `db:"n"`
	}
	if err := Select(ctx, q, &found, statement, args...); err != nil {
		return counts, err
	}
	for _, row := range found {
		counts[row.Status] = row.N
	}
	return counts, nil
}

// NotFound returns the error for a run that does not exist, with CodeNotFound.
func NotFound(id int64) error { return app.Errorf(app.CodeNotFound, "There is no run #%d.", id) }

// Conflict returns the error for a run that is no longer in the status in which the caller read it, with
// CodeConflict.
func Conflict(run app.ProcessRun) error {
	return app.Errorf(app.CodeConflict, "Run #%d is no longer %s.", run.ID, run.Status)
}

// Unavailable wraps a fault of the database with CodeUnavailable and a message for users. It returns err
// unchanged if it is an app.Error.
func Unavailable(err error) error {
	if _, ok := errors.AsType[*app.Error](err); ok {
		return err
	}
	const message = "The database cannot be used just now. Please try again in a moment."
	return &app.Error{Code: app.CodeUnavailable, Message: message, Err: err}
}

// ErrClosed is the error of a store that is closed.
var ErrClosed = &app.Error{Code: app.CodeUnavailable, Message: "The server is shutting down."}

// ErrSchemaTooNew returns the error for a database with migrations that this program does not know.
func ErrSchemaTooNew(version, known int) error {
	return fmt.Errorf("was made by a newer version of Runboard (schema %d, this one knows %d)",
		version, known)
}

// ErrSchemaChanged returns the error for a database whose schema another version of the program has changed.
func ErrSchemaChanged(version, known int) error {
	return fmt.Errorf("was migrated by another version of Runboard (schema %d, this one knows %d)",
		version, known)
}
