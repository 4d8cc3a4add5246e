package query

import (
	"context"
	"math"
	"time"

	"runboard/app"
)

// ReadTimeout bounds every read: what a longer one holds back grows in the meantime.
const ReadTimeout = 5 * time.Second

// Dialect is how a database spells what others spell otherwise.
type Dialect struct {
	// Numbers and Words are what is in a List, as a query in parentheses whose argument is the list.
	Numbers, Words string
	// Indexed names an index after the table, where the database is to be told which one to use.
	Indexed func(index string) string
	// Place is the column with the id by which runs stand in indexes that begin with other columns.
	Place string
	Texts Texts
}

// Board reads what pages show. It is the reading half of an app.Store.
type Board struct {
	Dialect
	// Read calls f with what it may read from, and has its errors told people with a code.
	Read func(ctx context.Context, f func(ctx context.Context, from Reader) error) error
	Now  func() time.Time
	// Served are the kinds of work that somebody does; nil: nobody asks.
	Served func(ctx context.Context, from Reader) ([]string, error)
	// Searched is about how many rows of the index are looked at for a page of a search; the default is Searched.
	Searched int64
	// CannotSearch returns why texts cannot be searched, or nil; nil: they always can.
	CannotSearch func() error
	// Clock tells how far the times of runs can be trusted to rise.
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

// RunMarks reads how far those runs have come that are among some.
func (d Dialect) RunMarks() string {
	return `SELECT id, version, coalesce((SELECT stop FROM run_logs WHERE run_id = id ORDER BY start DESC LIMIT 1), 0) AS log_end
		FROM process_runs WHERE id IN ` + d.Numbers
}

// Marks implements app.Store.
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

// usualOf is how many of the newest completed runs are looked at to see how long those of a kind take. It
// bounds what that costs, whatever the kinds of the others are: a fraction of a millisecond.
const usualOf = 200

// readUsual returns how long runs of the same kind take, or 0 when that is not known, or is not asked: only of a
// run that is under way.
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

// ReadCounts returns how many runs there are in each status, as it is kept.
func ReadCounts(ctx context.Context, from Reader) (app.Counts, error) {
	return CountBy(ctx, from, "SELECT status, n FROM status_counts")
}

// overview reads what every page shows of the whole board.
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
