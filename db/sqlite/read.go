package sqlite

import (
	"context"
	"database/sql"
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

func (db database) Secrets() *app.SecretBox { return db.options.Secrets() }

func (db database) Definitions() app.KindSource { return db.options.Definitions }

func (db database) HandledKinds(context.Context, query.Queryer) ([]string, error) {
	return db.options.Kinds(), nil
}

func (db database) Workers(context.Context, query.Queryer) (int64, error) {
	return int64(db.options.Workers), nil
}

func (db database) CheckSearch() error {
	if db.options.searchable {
		return nil
	}
	return app.Errorf(app.CodeInvalid,
		"This server cannot search in texts: it was built without SQLite's FTS5.")
}

// SearchExpression returns one FTS5 query for each term, as a JSON array. With one query for all terms,
// SQLite would compare all of them for each row.
func (database) SearchExpression(terms []string, prefix bool) string {
	queries := make([]string, len(terms))
	for i, term := range terms {
		queries[i] = `"` + term + `"`
		if prefix {
			queries[i] += "*"
		}
	}
	return query.JSONArray(queries)
}

// dialect is the SQL of SQLite for shared reads.
var dialect = query.Dialect{
	IntArray: "(SELECT value FROM json_each(?))", TextArray: "(SELECT value FROM json_each(?))",
	IndexHint:    "INDEXED BY",
	JSONGroup:    "json_group_array",
	SortKey:      "id",
	Node:         "0",
	InputSortKey: "run_id",
	SearchRows:   "json_each(?) AS wanted CROSS JOIN run_search WHERE run_search MATCH wanted.value",
	SearchRun:    "run_search.rowid / 1048576", // partsPerRun
	SearchFirst:  "%s",
}

// readers is the number of reading connections for each purpose. A page takes about 0.1 ms, so a few
// connections serve thousands of requests a second; each holds its own page cache. Each purpose has its own,
// because searches take long: on shared connections, sixteen users who searched made the queue wait for
// seconds.
var readers = map[app.Purpose]int{
	app.ForPages: 4,
	app.ForLong:  4,
	app.ForLive:  2,
	app.ForQueue: 2, // one for each queue
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

// CancelRequests implements app.WorkStore.
func (s *Store) CancelRequests(ctx context.Context) ([]app.CancelRequest, error) {
	if s.writer.cancelRequests.Load() == 0 { // the usual case: the queue calls this after every change
		return nil, nil
	}
	return s.Reader.CancelRequests(app.WithPurpose(ctx, app.ForQueue))
}
