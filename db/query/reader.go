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

// Database is what a Reader needs of a store.
type Database interface {
	// Read calls f with a Queryer of one snapshot, within ReadTimeout. Its errors have a code and a message
	// for users.
	Read(ctx context.Context, f func(ctx context.Context, q Queryer) error) error
	// Now returns the current time.
	Now() time.Time
	// HandledKinds returns the kinds that workers handle. If it returns nil, unhandled kinds are not
	// reported.
	HandledKinds(ctx context.Context, q Queryer) ([]string, error)
	// Workers returns the number of workers of all nodes, or 0 if it is not known.
	Workers(ctx context.Context, q Queryer) (int64, error)
	// Secrets opens the secret inputs of runs, or is nil.
	Secrets() *app.SecretBox
	// Definitions has the policies of kinds, or is nil.
	Definitions() app.KindSource
	// CheckSearch returns the reason if texts cannot be searched, or nil.
	CheckSearch() error
	// SearchExpression returns the argument of Dialect.SearchRows for the rows that have one of the terms or,
	// if prefix is true, a term that begins with one of them.
	SearchExpression(terms []string, prefix bool) string
}

// Dialect is the SQL in which the databases differ.
type Dialect struct {
	// IntArray and TextArray are subqueries in parentheses that return the elements of a JSON array. Their
	// only argument is a JSONArray.
	IntArray, TextArray string
	// IndexHint is what follows a table before the name of an index that the database must use, or "" if the
	// database has no hints.
	IndexHint string
	// SortKey is the column with the run id that ends the indexes that begin with other columns.
	SortKey string
	// InputSortKey is the same in the index of run_inputs by value.
	InputSortKey string
	// Node is the column with the node that works on a run, or did last, or "0" if there is only one.
	Node string
	// JSONGroup is the aggregate function that returns a JSON array.
	JSONGroup string
	// SearchRows follows FROM to select rows of the search index, which has one row for the error of a run,
	// one for its inputs, and one for each part of its log. Its argument is a Database.SearchExpression.
	SearchRows string
	// SearchRun is the expression for the run id of a row of the search index.
	SearchRun string
	// SearchFirst is a format that wraps a query for ids, so that the database runs it first and on its own,
	// and then looks up the runs by id.
	SearchFirst string
}

// Reader implements the reading methods of app.Store. Its methods may be called from any goroutine.
type Reader struct {
	dialect     Dialect
	db          Database
	skew        clockSkew
	usual       usualCache
	capped      cappedCache
	searchLimit int64
}

// NewReader returns a Reader of a database. searchLimit is about the number of index rows that the search for
// one page may look at; 0 is the default.
func NewReader(db Database, dialect Dialect, searchLimit int64) *Reader {
	if searchLimit == 0 {
		searchLimit = defaultSearchLimit
	}
	return &Reader{db: db, dialect: dialect, searchLimit: searchLimit}
}

// forLong returns a context for a slow read, which must not delay pages. It keeps a purpose other than
// app.ForPages.
func forLong(ctx context.Context) context.Context {
	if app.PurposeOf(ctx) == app.ForPages {
		return app.WithPurpose(ctx, app.ForLong)
	}
	return ctx
}

// Run implements app.Store.
func (r *Reader) Run(ctx context.Context, id int64) (page app.RunPage, err error) {
	err = r.read(ctx, func(s *snapshot) {
		var row struct {
			Run
			Node int64
		}
		if !s.get(&row, "SELECT "+Columns+", "+r.dialect.Node+" AS node FROM process_runs WHERE id = ?", id) {
			s.fail(NotFound(id))
			return
		}
		runs := []app.ProcessRun{row.App()}
		s.fillInputs(runs)
		s.fillWaiting(runs)
		s.fillQueued(runs)
		page.Run, page.Node = runs[0], row.Node
		page.Events = s.events(id)
		page.Log = s.log(app.LogQuery{
			Run: id, Offset: math.MaxInt64, Backwards: true, Bytes: app.TailBytes, Lines: app.TailLines,
		})
		page.MedianDuration = s.medianDuration(page.Run.Kind)
		page.LastSuccess = s.lastSuccess(page.Run)
		page.Failure = s.failure(page.Run.Failure)
		page.Overview = s.overview()
		page.Position = s.position(page.Run, page.Counts[app.Started])
	})
	return page, err
}

// RevisionsSQL returns the query for the revisions of runs. Its argument is the JSONArray of their ids.
func (d Dialect) RevisionsSQL() string {
	return `SELECT id, version, kind, status, concurrency_key, scheduled_at, failure,
			coalesce((SELECT stop FROM run_logs WHERE run_id = id ORDER BY start DESC LIMIT 1), 0) AS log_end
		FROM process_runs WHERE id IN ` + d.IntArray
}

// Revisions implements app.Store.
func (r *Reader) Revisions(ctx context.Context, ids []int64) (map[int64]app.Revision, error) {
	var found []struct {
		Run
		LogEnd int64 `db:"log_end"`
	}
	revisions := make(map[int64]app.Revision, len(ids))
	err := r.read(ctx, func(s *snapshot) {
		s.all(&found, r.dialect.RevisionsSQL(), JSONArray(ids))
		runs := make([]app.ProcessRun, len(found))
		for i, row := range found {
			runs[i] = row.App()
		}
		s.fillWaiting(runs)
		triages := s.triages(runs)
		for i, row := range found {
			revisions[row.ID] = app.Revision{
				Version: row.Version, LogEnd: row.LogEnd, Waiting: runs[i].Waiting,
				Triage: triages[row.Failure],
			}
		}
	})
	return revisions, err
}

// CancelRequestsSQL is the query for the started runs whose cancellation is requested.
var CancelRequestsSQL = SQL(`SELECT id, fencing_token FROM process_runs
	WHERE status = :started AND cancel_requested_at > 0 ORDER BY id`)

// CancelRequests implements app.WorkStore.
func (r *Reader) CancelRequests(ctx context.Context) (requests []app.CancelRequest, err error) {
	err = r.read(ctx, func(s *snapshot) { s.all(&requests, CancelRequestsSQL) })
	return requests, err
}

// medianDuration returns the median duration of the newest completed runs of a kind, or 0 if there are none.
func (s *snapshot) medianDuration(kind string) time.Duration {
	completed := s.dialect.scanKind(kind, app.Completed)
	var millis []int64
	s.all(&millis, completed.selectSQL("finished_at - started_at", false),
		completed.Args(allIDs, app.UsualRuns)...)
	return median(millis)
}

// events returns the history of a run.
func (s *snapshot) events(run int64) []app.Event {
	var found []eventRow
	s.all(&found, "SELECT "+eventColumns+" FROM run_events WHERE run_id = ? ORDER BY version", run)
	events := make([]app.Event, len(found))
	for i, row := range found {
		events[i] = row.app()
	}
	return events
}

// eventColumns lists the columns of an eventRow.
const eventColumns = `version, at, status, attempt, note, log_offset AS "offset"`

// eventRow is a row of run_events.
type eventRow struct {
	Version int64
	At      int64
	Status  app.Status
	Attempt int
	Note    string
	Offset  int64
}

func (r eventRow) app() app.Event {
	return app.Event{
		Version: r.Version, At: FromMillis(r.At), Status: r.Status, Attempt: r.Attempt, Note: r.Note,
		LogOffset: r.Offset,
	}
}

// overview returns the counts and warnings that every page shows.
func (s *snapshot) overview() (overview app.Overview) {
	overview.Counts = s.counts()
	overview.Unhandled = s.unhandled(overview.Counts[app.Created])
	var found []struct {
		Kind  string // a paused kind, or ""
		Muted int64  // the number of muted runs, if Kind is ""
	}
	s.all(&found, aroundSQL, app.MaxPaused+1, Millis(s.db.Now()))
	paused := 0
	for _, row := range found {
		switch {
		case row.Kind == "":
			overview.Muted = row.Muted
		case paused == app.MaxPaused:
			overview.Paused.More = true
		default:
			overview.Paused.Names[paused] = row.Kind
			paused++
		}
	}
	return overview
}

// aroundSQL returns the paused kinds by name, and the number of muted failed runs if there are any. It is one
// statement, because every page waits for it. Its last argument is the time.
const aroundSQL = "SELECT kind, 0 AS muted FROM " +
	"(SELECT kind FROM paused_kinds ORDER BY kind LIMIT ?) AS paused " +
	"UNION ALL SELECT '', muted FROM " +
	"(SELECT sum(n) AS muted FROM failures WHERE " + mutedNow + ") AS muted WHERE muted > 0"
