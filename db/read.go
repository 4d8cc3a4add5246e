package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// readTimeout bounds every read: one that took longer would hold the write-ahead log back.
const readTimeout = 5 * time.Second

const columns = `id, kind, status, version, attempt, crashes, claim, error, created_at, updated_at, started_at, finished_at, due_at,
	cancel_at, percent, message, failure`

// runRow is a row of process_runs.
type runRow struct {
	ID         int64  `db:"id"`
	Kind       string `db:"kind"`
	Status     int8   `db:"status"`
	Version    int64  `db:"version"`
	Attempt    int    `db:"attempt"`
	Crashes    int    `db:"crashes"`
	Claim      int64  `db:"claim"`
	Error      string `db:"error"`
	CreatedAt  int64  `db:"created_at"`
	UpdatedAt  int64  `db:"updated_at"`
	StartedAt  int64  `db:"started_at"`
	FinishedAt int64  `db:"finished_at"`
	DueAt      int64  `db:"due_at"`
	CancelAt   int64  `db:"cancel_at"`
	Percent    int8   `db:"percent"`
	Message    string `db:"message"`
	Failure    int64  `db:"failure"`
}

func (r runRow) run() app.ProcessRun {
	return app.ProcessRun{
		ID: r.ID, Kind: r.Kind, Status: app.Status(r.Status), Version: r.Version, Attempt: r.Attempt,
		Crashes: r.Crashes, Claim: r.Claim, Error: r.Error, Failure: r.Failure,
		CreatedAt: fromMillis(r.CreatedAt), UpdatedAt: fromMillis(r.UpdatedAt), StartedAt: fromMillis(r.StartedAt),
		FinishedAt: fromMillis(r.FinishedAt), DueAt: fromMillis(r.DueAt), CancelAt: fromMillis(r.CancelAt),
		Progress: app.Progress{Percent: app.Percent(r.Percent), Message: r.Message},
	}
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// read runs f in one read transaction, so that all it reads is of one state.
func (s *Store) read(ctx context.Context, f func(context.Context, *sqlx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	tx, err := s.reader.BeginTxx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	if err := f(ctx, tx); err != nil {
		return unavailable(err)
	}
	return nil
}

// Run implements app.Store.
func (s *Store) Run(ctx context.Context, id int64) (page app.RunPage, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		var row runRow
		err = tx.GetContext(ctx, &row, "SELECT "+columns+" FROM process_runs WHERE id = ?", id)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound(id)
		}
		if err != nil {
			return err
		}
		page.Run = row.run()
		if page.Events, err = readEvents(ctx, tx, id); err != nil {
			return err
		}
		tail := app.LogQuery{Run: id, Offset: math.MaxInt64, Backwards: true, Bytes: app.TailBytes, Lines: app.TailLines}
		if page.Log, err = readLog(ctx, tx, tail); err != nil {
			return err
		}
		if page.Usual, err = readUsual(ctx, tx, page.Run); err != nil {
			return err
		}
		page.Overview, err = s.readOverview(ctx, tx)
		return err
	})
	return page, err
}

const runMarks = `SELECT id, version, ifnull((SELECT stop FROM run_logs WHERE run_id = id ORDER BY start DESC LIMIT 1), 0) AS log_end
	FROM process_runs WHERE id IN (SELECT value FROM json_each(?))`

// Marks implements app.Store.
func (s *Store) Marks(ctx context.Context, runs []int64) (map[int64]app.Mark, error) {
	ids, err := json.Marshal(runs) // one argument for any number of them
	if err != nil {
		return nil, err
	}
	marks := make(map[int64]app.Mark, len(runs))
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		var rows []struct {
			ID      int64 `db:"id"`
			Version int64 `db:"version"`
			LogEnd  int64 `db:"log_end"`
		}
		err := tx.SelectContext(ctx, &rows, runMarks, string(ids))
		for _, row := range rows {
			marks[row.ID] = app.Mark{Version: row.Version, LogEnd: row.LogEnd}
		}
		return err
	})
	return marks, err
}

// usualOf is how many of the newest completed runs are looked at to see how long those of a kind take. It
// bounds what that costs, whatever the kinds of the others are: a fraction of a millisecond.
const usualOf = 200

const durations = `SELECT finished_at - started_at FROM
	(SELECT kind, started_at, finished_at FROM process_runs WHERE status = 2 ORDER BY id DESC LIMIT ?1)
	WHERE kind = ?2 ORDER BY 1`

// readUsual returns how long runs of the same kind take, or 0 when that is not known, or is not asked: only of a
// run that is under way.
func readUsual(ctx context.Context, tx *sqlx.Tx, run app.ProcessRun) (time.Duration, error) {
	if run.Status != app.Started {
		return 0, nil
	}
	var millis []int64
	if err := tx.SelectContext(ctx, &millis, durations, usualOf, run.Kind); err != nil || len(millis) == 0 {
		return 0, err
	}
	return time.Duration(millis[len(millis)/2]) * time.Millisecond, nil
}

// waitingRuns finds for each of some kinds its oldest runs by the index, and of all these returns the oldest. The first
// two arguments are the time and the limit; the kinds follow.
func waitingRuns(kinds int) string {
	var ofEach []string
	for i := range kinds {
		ofEach = append(ofEach, fmt.Sprintf(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
			WHERE kind = ?%d AND status = 0 AND due_at <= ?1 ORDER BY id LIMIT ?2)`, i+3))
	}
	return "SELECT " + columns + " FROM process_runs WHERE id IN (" + strings.Join(ofEach, " UNION ALL ") + ") ORDER BY id LIMIT ?2"
}

// kindsAtOnce is how many kinds one statement looks for: SQLite allows some hundreds.
const kindsAtOnce = 100

// Waiting implements app.Backlog. It is asked all the time, so it does without a transaction and without a deadline,
// which cost more than the rest: it reads no more than it returns.
func (s *Store) Waiting(ctx context.Context, kinds []string, limit int) (runs []app.ProcessRun, err error) {
	for some := range slices.Chunk(kinds, kindsAtOnce) {
		args := []any{s.options.Now().UnixMilli(), limit}
		for _, kind := range some {
			args = append(args, kind)
		}
		found, err := readRuns(context.WithoutCancel(ctx), s.reader, waitingRuns(len(some)), args...)
		if err != nil {
			return nil, unavailable(err)
		}
		runs = append(runs, found...)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return cmp.Compare(a.ID, b.ID) })
	return runs[:min(len(runs), limit)], nil
}

// Returned implements app.Backlog.
func (s *Store) Returned() int64 { return s.writer.returned.Load() }

const stoppingRuns = "SELECT id FROM process_runs WHERE status = 1 AND cancel_at > 0"

// Stopping implements app.Backlog.
func (s *Store) Stopping(ctx context.Context) (ids []int64, err error) {
	if s.writer.asked.Load() == 0 { // as nearly always, when the queue asks after every change
		return nil, nil
	}
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &ids, stoppingRuns)
	})
	return ids, err
}

const cancelledRuns = "SELECT id FROM process_runs WHERE id IN (SELECT value FROM json_each(?)) AND +status = 4" // by id: of the cancelled there may be many

// Cancelled implements app.Backlog.
func (s *Store) Cancelled(ctx context.Context, ids []int64) (cancelled []int64, err error) {
	asked, err := json.Marshal(ids) // one argument, because SQLite allows only so many
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &cancelled, cancelledRuns, string(asked))
	})
	return cancelled, err
}

func readEvents(ctx context.Context, tx *sqlx.Tx, run int64) ([]app.Event, error) {
	var rows []struct {
		Version int64      `db:"version"`
		At      int64      `db:"at"`
		Status  app.Status `db:"status"`
		Attempt int        `db:"attempt"`
		Note    string     `db:"note"`
	}
	err := tx.SelectContext(ctx, &rows, "SELECT version, at, status, attempt, note FROM run_events WHERE run_id = ? ORDER BY version", run)
	events := make([]app.Event, len(rows))
	for i, row := range rows {
		events[i] = app.Event{Version: row.Version, At: fromMillis(row.At), Status: row.Status, Attempt: row.Attempt, Note: row.Note}
	}
	return events, err
}

// readRuns scans by hand: the queue reads each run that way, and finding fields by their names costs as much as reading.
func readRuns(ctx context.Context, tx sqlx.QueryerContext, text string, args ...any) (runs []app.ProcessRun, err error) {
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var row runRow
	fields := row.fields()
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return nil, err
		}
		runs = append(runs, row.run())
	}
	return runs, rows.Err()
}

// fields are where the columns go.
func (r *runRow) fields() []any {
	return []any{
		&r.ID, &r.Kind, &r.Status, &r.Version, &r.Attempt, &r.Crashes, &r.Claim, &r.Error, &r.CreatedAt, &r.UpdatedAt, &r.StartedAt, &r.FinishedAt,
		&r.DueAt, &r.CancelAt, &r.Percent, &r.Message, &r.Failure,
	}
}

func (s *Store) readOverview(ctx context.Context, tx *sqlx.Tx) (overview app.Overview, err error) {
	if overview.Counts, err = readCounts(ctx, tx); err != nil {
		return overview, err
	}
	if overview.Unserved, err = s.readUnserved(ctx, tx, overview.Counts[app.Created]); err != nil {
		return overview, err
	}
	var newest []app.Status
	err = tx.SelectContext(ctx, &newest, "SELECT status FROM process_runs ORDER BY id DESC LIMIT ?", app.RecentSize)
	overview.Recent = len(newest)
	for _, status := range newest {
		if status.Final() {
			overview.Done++
		}
	}
	return overview, err
}
