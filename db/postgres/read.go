package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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

// HandledKinds returns the kinds that this node handles, and those announced within kindsTTL.
func (db database) HandledKinds(ctx context.Context, q query.Queryer) (kinds []string, err error) {
	mine := db.options.Kinds()
	if mine == nil {
		return nil, nil
	}
	err = query.Select(ctx, q, &kinds, announcedKinds, db.Now().Add(-kindsTTL).UnixMilli())
	return append(slices.Clone(mine), kinds...), err
}

// Workers returns the sum over the live nodes.
func (database) Workers(ctx context.Context, q query.Queryer) (workers int64, err error) {
	err = query.Get(ctx, q, &workers, "SELECT coalesce(sum(workers), 0)::bigint FROM nodes")
	return workers, err
}

func (database) CheckSearch() error { return nil }

// SearchExpression returns a tsquery.
func (database) SearchExpression(terms []string, prefix bool) string {
	between, end := "' | '", "'"
	if prefix {
		between, end = "':* | '", "':*"
	}
	return "'" + strings.Join(terms, between) + end
}

// dialect is the SQL of PostgreSQL for shared reads.
var dialect = query.Dialect{
	IntArray:     "(SELECT value::bigint FROM jsonb_array_elements_text(?::jsonb))",
	TextArray:    "(SELECT jsonb_array_elements_text(?::jsonb))",
	SortKey:      "sort_id",
	Node:         "node",
	InputSortKey: "sort_id",
	JSONGroup:    "json_agg",
	SearchRows:   "run_search WHERE words @@ ?::tsquery",
	SearchRun:    "run_id",
	SearchFirst:  "SELECT unnest(ARRAY(%s))",
}

// beginRead begins a read-only transaction on one snapshot, with a timeout on the server. Plans are custom: a
// generic plan that suits common words and kinds is slow for rare ones.
var beginRead = fmt.Sprintf(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
	SET LOCAL statement_timeout = %d;
	SET LOCAL plan_cache_mode = force_custom_plan;
	SET LOCAL enable_seqscan = off`, query.ReadTimeout.Milliseconds())

// read runs f in a read-only transaction, so that it sees one snapshot.
func (s *Store) read(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	return s.reading(ctx, func(ctx context.Context) error { return s.readFrom(ctx, f) })
}

// readOne runs f, which executes one statement, without a transaction. This saves two round trips for each
// run.
func (s *Store) readOne(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	return s.reading(ctx, func(ctx context.Context) error { return f(ctx, s.db) })
}

// reading calls f with a deadline, and records if the database cannot be used.
func (s *Store) reading(ctx context.Context, f func(context.Context) error) error {
	if !s.door.enter() {
		return query.ErrClosed
	}
	defer s.door.leave()
	if app.PurposeOf(ctx) == app.ForLive {
		s.pace.stir()
	}
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	err := causeOf(ctx, f(ctx))
	if isUnavailable(err) {
		s.setHealth(err)
	}
	if err != nil {
		return query.Unavailable(err)
	}
	return nil
}

// readFrom calls f with a connection in a read-only transaction.
func (s *Store) readFrom(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	conn, err := s.db.Connx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // returns it to the pool
	if _, err := conn.ExecContext(ctx, beginRead); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(ctx, "ROLLBACK") }() // if it fails, the pool discards the connection
	return f(ctx, conn)
}
