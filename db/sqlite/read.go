package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// database implements query.Database.
type database struct{ *Store }

func (db database) Read(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	return db.read(ctx, f)
}

func (db database) Now() time.Time { return db.options.Now() }

func (db database) HandledKinds(context.Context, query.Queryer) ([]string, error) {
	return db.options.Kinds, nil
}

func (db database) CheckSearch() error {
	if db.options.searchable {
		return nil
	}
	return app.Errorf(app.CodeInvalid, "This server cannot search in texts: it was built without SQLite's FTS5.")
}

func (db database) SearchExpression(terms []string, prefix bool) string {
	return searchExpression(terms, prefix)
}

var dialect = query.Dialect{
	IntArray: "(SELECT value FROM json_each(?))", TextArray: "(SELECT value FROM json_each(?))",
	IndexHint:   "INDEXED BY",
	SortKey:     "id",
	SearchRows:  "json_each(?) AS wanted CROSS JOIN run_search WHERE run_search MATCH wanted.value",
	SearchRun:   "run_search.rowid / 1048576", // partsPerRun
	SearchFirst: "%s",
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

// read calls f in one read transaction, so everything that f reads is consistent. It is bounded by
// query.ReadTimeout.
func (s *Store) read(ctx context.Context, f func(context.Context, query.Queryer) error) error {
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
	scans := make([]string, kinds)
	for i := range scans {
		scans[i] = fmt.Sprintf(waitingOfKind, i+3)
	}
	return "SELECT " + query.Columns + " FROM process_runs WHERE id IN (" + strings.Join(scans, " UNION ALL ") +
		") ORDER BY id LIMIT ?2"
}

var waitingOfKind = query.SQL(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
	WHERE kind = ?%d AND status = :created AND scheduled_at <= ?1 ORDER BY id LIMIT ?2)`)

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

// CancelRequests implements app.WorkStore.
func (s *Store) CancelRequests(ctx context.Context) ([]app.CancelRequest, error) {
	if s.writer.cancelRequests.Load() == 0 { // the usual case: the queue calls this after every change
		return nil, nil
	}
	return s.Reader.CancelRequests(app.WithPurpose(ctx, app.ForQueue))
}
