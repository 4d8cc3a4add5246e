package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// board has the pages read by SQLite.
func (s *Store) board() query.Board {
	return query.Board{
		Dialect: dialect, Read: s.read, Now: s.options.Now, Searched: s.options.searched, CannotSearch: s.cannotSearch, Clock: &query.Clock{},
		Served: func(context.Context, query.Reader) ([]string, error) { return s.options.Kinds, nil },
	}
}

var dialect = query.Dialect{
	Numbers: "(SELECT value FROM json_each(?))", Words: "(SELECT value FROM json_each(?))", // an argument for any number of them
	Indexed: func(index string) string { return " INDEXED BY " + index },
	Place:   "id",
	Texts: query.Texts{
		Having: "json_each(?) AS wanted CROSS JOIN run_search WHERE run_search MATCH wanted.value",
		Run:    "run_search.rowid / 1048576", // partsPerRun
		Listed: func(ids string) string { return ids },
		Spell:  spell,
	},
}

// readers are the connections that read, for each purpose some of its own. A page is read in about 0.1 ms, so a few serve
// thousands of requests a second; each holds its own page cache. But searches take long: when they shared the connections
// of the queue, sixteen people who searched made it wait for seconds.
var readers = map[app.Purpose]int{
	app.ForPages: 4,
	app.ForLong:  4,
	app.ForLive:  2,
	app.ForQueue: 2, // one for each queue: see main.openSQLite
}

// connectReaders opens the pools that read.
func (s *Store) connectReaders(ctx context.Context) (err error) {
	s.readers = make(map[app.Purpose]*sqlx.DB, len(readers))
	for purpose, size := range readers {
		pool, err := openPool(ctx, s.options.driver, readerDSN(s.options.Path), size)
		if err != nil {
			return err
		}
		s.readers[purpose] = pool
		if err = verifyPragmas(ctx, pool, readerPragmas()); err != nil {
			return err
		}
	}
	return nil
}

// Page implements app.Store.
func (s *Store) Page(ctx context.Context, query app.Query) (app.Page, error) {
	if query.Text != "" {
		ctx = long(ctx)
	}
	return s.Board.Page(ctx, query)
}

// Runs implements app.Store.
func (s *Store) Runs(ctx context.Context, filter app.Filter, before int64, limit int) ([]app.ProcessRun, int64, error) {
	return s.Board.Runs(long(ctx), filter, before, limit)
}

// PreviewBulk implements app.Store.
func (s *Store) PreviewBulk(ctx context.Context, action app.BulkAction) (app.BulkPreview, error) {
	return s.Board.PreviewBulk(long(ctx), action)
}

// long returns a context for a read that may take long, unless it is for more than one page.
func long(ctx context.Context) context.Context {
	if app.PurposeOf(ctx) == app.ForPages {
		return app.WithPurpose(ctx, app.ForLong)
	}
	return ctx
}

// read runs f in one read transaction, so that all it reads is of one state.
func (s *Store) read(ctx context.Context, f func(context.Context, query.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	tx, err := s.readers[app.PurposeOf(ctx)].BeginTxx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return query.Unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	if err := f(ctx, tx); err != nil {
		return query.Unavailable(err)
	}
	return nil
}

// waitingRuns finds for each of some kinds its oldest runs by the index, and of all these returns the oldest. The first
// two arguments are the time and the limit; the kinds follow.
func waitingRuns(kinds int) string {
	var ofEach []string
	for i := range kinds {
		ofEach = append(ofEach, fmt.Sprintf(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
			WHERE kind = ?%d AND status = 0 AND scheduled_at <= ?1 ORDER BY id LIMIT ?2)`, i+3))
	}
	return "SELECT " + query.Columns + " FROM process_runs WHERE id IN (" + strings.Join(ofEach, " UNION ALL ") + ") ORDER BY id LIMIT ?2"
}

// kindsAtOnce is how many kinds one statement looks for: SQLite allows some hundreds.
const kindsAtOnce = 100

// Waiting implements app.QueueStore. It is asked all the time, so it does without a transaction and without a deadline,
// which cost more than the rest: it reads no more than it returns.
func (s *Store) FetchDue(ctx context.Context, kinds []string, limit int) (runs []app.ProcessRun, err error) {
	for some := range slices.Chunk(kinds, kindsAtOnce) {
		args := []any{s.options.Now().UnixMilli(), limit}
		for _, kind := range some {
			args = append(args, kind)
		}
		found, err := query.ReadRuns(context.WithoutCancel(ctx), s.readers[app.ForQueue], waitingRuns(len(some)), args...)
		if err != nil {
			return nil, query.Unavailable(err)
		}
		runs = append(runs, found...)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return cmp.Compare(a.ID, b.ID) })
	return runs[:min(len(runs), limit)], nil
}

// Returned implements app.QueueStore.
func (s *Store) RequeueSeq() int64 { return s.writer.requeueSeq.Load() }

// Arrived implements app.QueueStore.
func (s *Store) EnqueueSeq() int64 { return s.writer.enqueueSeq.Load() }

const stoppingRuns = "SELECT id, fencing_token FROM process_runs WHERE status = 1 AND cancel_requested_at > 0"

// CancelRequests implements app.QueueStore.
func (s *Store) CancelRequests(ctx context.Context) (requests []app.CancelRequest, err error) {
	if s.writer.cancelRequests.Load() == 0 { // as nearly always, when the queue asks after every change
		return nil, nil
	}
	err = s.read(app.WithPurpose(ctx, app.ForQueue), func(ctx context.Context, from query.Reader) error {
		return query.Select(ctx, from, &requests, stoppingRuns)
	})
	return requests, err
}
