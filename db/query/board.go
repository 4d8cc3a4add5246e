package query

import (
	"context"
	"math"
	"time"

	"runboard/app"
)

// ReadTimeout bounds every read. A longer read transaction keeps the database from removing what was replaced
// since, so that its files grow.
const ReadTimeout = 5 * time.Second

// Dialect holds the SQL in which the databases differ.
type Dialect struct {
	// Numbers and Words are subqueries in parentheses that return the elements of a JSON array of numbers or
	// of strings. Their only argument is a JSONArray.
	Numbers, Words string
	// Indexed returns the hint that follows the table name to force an index, or "" if the database has no
	// hints.
	Indexed func(index string) string
	// Place is the column with the run id that ends the indexes that begin with other columns.
	Place string
	// Texts describes the search index.
	Texts Texts
}

// Board implements the reading methods of app.Store for any database that has a Dialect. Its methods may be
// called from any goroutine.
type Board struct {
	Dialect
	// Read calls f with a Reader of one snapshot. It returns errors with a code and a message for users.
	Read func(ctx context.Context, f func(ctx context.Context, from Reader) error) error
	// Now returns the current time.
	Now func() time.Time
	// Served returns the kinds that workers handle. If it returns nil, unhandled kinds are not reported.
	Served func(ctx context.Context, from Reader) ([]string, error)
	// Searched is the approximate number of index rows that the search for one page may look at. 0 means the
	// constant Searched.
	Searched int64
	// CannotSearch returns the reason if this database cannot search texts, or nil. A nil function means that
	// it can.
	CannotSearch func() error
	// Clock measures how far the creation times of runs deviate from the order of their ids.
	Clock *Clock
}

// Run implements app.Store.
func (b *Board) Run(ctx context.Context, id int64) (page app.RunPage, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		var row Run
		found, err := Find(ctx, from, &row, "SELECT "+Columns+" FROM process_runs WHERE id = ?", id)
		if err != nil {
			return err
		}
		if !found {
			return NotFound(id)
		}
		page.Run = row.App()
		if page.Events, err = readEvents(ctx, from, id); err != nil {
			return err
		}
		tail := app.LogQuery{Run: id, Offset: math.MaxInt64, Backwards: true, Bytes: app.TailBytes, Lines: app.TailLines}
		if page.Log, err = readLog(ctx, from, tail); err != nil {
			return err
		}
		if page.MedianDuration, err = b.readMedianDuration(ctx, from, page.Run); err != nil {
			return err
		}
		page.Overview, err = b.overview(ctx, from)
		return err
	})
	return page, err
}

// RunMarks returns the query for the revisions of runs. Its argument is the JSONArray of their ids.
func (d Dialect) RunMarks() string {
	return `SELECT id, version, coalesce((SELECT stop FROM run_logs WHERE run_id = id ORDER BY start DESC LIMIT 1), 0) AS log_end
		FROM process_runs WHERE id IN ` + d.Numbers
}

// Revisions implements app.Store.
func (b *Board) Revisions(ctx context.Context, runs []int64) (map[int64]app.Revision, error) {
	ids, err := JSONArray(runs)
	if err != nil {
		return nil, err
	}
	marks := make(map[int64]app.Revision, len(runs))
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var found []struct {
			ID      int64 `db:"id"`
			Version int64 `db:"version"`
			LogEnd  int64 `db:"log_end"`
		}
		err := Select(ctx, from, &found, b.RunMarks(), ids)
		for _, row := range found {
			marks[row.ID] = app.Revision{Version: row.Version, LogEnd: row.LogEnd}
		}
		return err
	})
	return marks, err
}

// usualOf is how many of the newest completed runs of all kinds readMedianDuration looks at. It bounds the
// cost to a fraction of a millisecond, whatever the kinds of these runs.
const usualOf = 200

// readMedianDuration returns the median duration of recently completed runs of the same kind. It returns 0 if
// there are none, or if the run is not started.
func (b *Board) readMedianDuration(ctx context.Context, from Reader, run app.ProcessRun) (time.Duration, error) {
	if run.Status != app.Started {
		return 0, nil
	}
	newest := b.inStatus(app.Completed)
	text := "SELECT finished_at - started_at FROM (" + newest.text("kind, started_at, finished_at", false) + ") AS newest WHERE kind = ? ORDER BY 1"
	var millis []int64
	if err := Select(ctx, from, &millis, text, newest.With(everywhere, usualOf, run.Kind)...); err != nil || len(millis) == 0 {
		return 0, err
	}
	return time.Duration(millis[len(millis)/2]) * time.Millisecond, nil
}

func readEvents(ctx context.Context, from Reader, run int64) ([]app.Event, error) {
	var found []struct {
		Version int64      `db:"version"`
		At      int64      `db:"at"`
		Status  app.Status `db:"status"`
		Attempt int        `db:"attempt"`
		Note    string     `db:"note"`
	}
	err := Select(ctx, from, &found, "SELECT version, at, status, attempt, note FROM run_events WHERE run_id = ? ORDER BY version", run)
	events := make([]app.Event, len(found))
	for i, row := range found {
		events[i] = app.Event{Version: row.Version, At: FromMillis(row.At), Status: row.Status, Attempt: row.Attempt, Note: row.Note}
	}
	return events, err
}

// ReadCounts returns the stored number of runs in each status. It does not count them.
func ReadCounts(ctx context.Context, from Reader) (app.Counts, error) {
	return CountBy(ctx, from, "SELECT status, n FROM status_counts")
}

// overview returns the counts and warnings that every page shows.
func (b *Board) overview(ctx context.Context, from Reader) (overview app.Overview, err error) {
	if overview.Counts, err = ReadCounts(ctx, from); err != nil {
		return overview, err
	}
	if overview.Unhandled, err = b.unserved(ctx, from, overview.Counts[app.Created]); err != nil {
		return overview, err
	}
	var newest []app.Status
	err = Select(ctx, from, &newest, "SELECT status FROM process_runs ORDER BY id DESC LIMIT ?", app.RecentSize)
	overview.Recent = len(newest)
	for _, status := range newest {
		if status.Final() {
			overview.Done++
		}
	}
	return overview, err
}
