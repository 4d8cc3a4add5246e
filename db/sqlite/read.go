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

// board returns the reading half of the store.
func (s *Store) board() query.Board {
	return query.Board{
		Dialect: dialect, Read: s.read, Now: s.options.Now, Searched: s.options.searched, CannotSearch: s.cannotSearch, Clock: &query.Clock{},
		Served: func(context.Context, query.Reader) ([]string, error) { return s.options.Kinds, nil },
	}
}

var dialect = query.Dialect{
	Numbers: "(SELECT value FROM json_each(?))", Words: "(SELECT value FROM json_each(?))", // one argument
	Indexed: func(index string) string { return " INDEXED BY " + index },
	Place:   "id",
	Texts: query.Texts{
		Having: "json_each(?) AS wanted CROSS JOIN run_search WHERE run_search MATCH wanted.value",
		Run:    "run_search.rowid / 1048576", // partsPerRun
		Listed: func(ids string) string { return ids },
		Spell:  spell,
	},
}

// readers is the number of reading connections for each purpose. A page takes about 0.1 ms, so a few
// connections serve thousands of requests a second; each holds its own page cache. Each purpose has its own,
// because searches take long: on shared connections, sixteen users who searched made the queue wait for
// seconds.
var readers = map[app.Purpose]int{
	app.ForPages: 4,
	app.ForLong:  4,
	app.ForLive:  2,
	app.ForQueue: 2, // one for each queue, see main.openSQLite
}

// connectReaders opens the reading pools.
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

// long returns a context for a slow read, which must not block pages. It keeps a purpose other than
// app.ForPages.
func long(ctx context.Context) context.Context {
	if app.PurposeOf(ctx) == app.ForPages {
		return app.WithPurpose(ctx, app.ForLong)
	}
	return ctx
}

// read calls f in one read transaction, so everything that f reads is consistent. It is bounded by
// query.ReadTimeout.
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

// waitingRuns returns the query for the oldest due runs of a number of kinds. It probes the index for the
// oldest runs of each kind and merges them. The first two arguments are the time and the limit; the kinds
// follow.
func waitingRuns(kinds int) string {
	var ofEach []string
	for i := range kinds {
		ofEach = append(ofEach, fmt.Sprintf(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
			WHERE kind = ?%d AND status = 0 AND scheduled_at <= ?1 ORDER BY id LIMIT ?2)`, i+3))
	}
	return "SELECT " + query.Columns + " FROM process_runs WHERE id IN (" + strings.Join(ofEach, " UNION ALL ") + ") ORDER BY id LIMIT ?2"
}

// kindsAtOnce is how many kinds one statement looks for: SQLite limits a compound SELECT to some hundreds.
const kindsAtOnce = 100

// FetchDue implements app.QueueStore. The queue calls it constantly, so it uses no transaction and no
// deadline, which would cost more than the query; it reads no more than it returns.
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

// RequeueSeq implements app.QueueStore.
func (s *Store) RequeueSeq() int64 { return s.writer.requeueSeq.Load() }

// EnqueueSeq implements app.QueueStore.
func (s *Store) EnqueueSeq() int64 { return s.writer.enqueueSeq.Load() }

const stoppingRuns = "SELECT id, fencing_token FROM process_runs WHERE status = 1 AND cancel_requested_at > 0"

// CancelRequests implements app.WorkStore.
func (s *Store) CancelRequests(ctx context.Context) (requests []app.CancelRequest, err error) {
	if s.writer.cancelRequests.Load() == 0 { // the usual case: the queue calls this after every change
		return nil, nil
	}
	err = s.read(app.WithPurpose(ctx, app.ForQueue), func(ctx context.Context, from query.Reader) error {
		return query.Select(ctx, from, &requests, stoppingRuns)
	})
	return requests, err
}
