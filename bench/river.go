package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/mattn/go-sqlite3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

type riverArgs struct{}

func (riverArgs) Kind() string { return "nothing" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	work func()
}

func (w *riverWorker) Work(context.Context, *river.Job[riverArgs]) error {
	w.work()
	return nil
}

// riverQueue is River on PostgreSQL or SQLite. tuned is its fetch cooldown, or 0 for River's default of 100
// ms.
type riverQueue[T any] struct {
	driver riverdriver.Driver[T]
	tuned  time.Duration
	client *river.Client[T]
	count  func() (int, error)
	close  func()
}

func (q *riverQueue[T]) start(workers int, work func()) error {
	ctx := context.Background()
	migrator, err := rivermigrate.New(q.driver, nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	known := river.NewWorkers()
	river.AddWorker(known, &riverWorker{work: work})
	config := &river.Config{
		Workers: known, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Logger: slog.New(slog.DiscardHandler),
	}
	if q.tuned > 0 {
		config.FetchCooldown, config.FetchPollInterval = q.tuned, 5*q.tuned
	}
	if q.client, err = river.NewClient(q.driver, config); err != nil {
		return err
	}
	return q.client.Start(ctx)
}

func (q *riverQueue[T]) add(runs int) error {
	if runs == 1 {
		_, err := q.client.Insert(context.Background(), riverArgs{}, nil)
		return err
	}
	all := make([]river.InsertManyParams, runs)
	for i := range all {
		all[i].Args = riverArgs{}
	}
	_, err := q.client.InsertManyFast(context.Background(), all)
	return err
}

func (q *riverQueue[T]) done() (int, error) { return q.count() }

func (q *riverQueue[T]) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = q.client.Stop(ctx)
	q.close()
}

const riverDone = "SELECT count(*) FROM river_job WHERE state = 'completed'"

// openRiverPG returns a function that opens River on an emptied PostgreSQL database.
func openRiverPG(tuned time.Duration) func(string, addresses) (queue, error) {
	return func(_ string, at addresses) (queue, error) {
		ctx := context.Background()
		if err := emptyPostgres(ctx, at.Postgres); err != nil {
			return nil, err
		}
		pool, err := pgxpool.New(ctx, at.Postgres+"?pool_max_conns=16")
		if err != nil {
			return nil, err
		}
		count := func() (n int, err error) {
			return n, pool.QueryRow(ctx, riverDone).Scan(&n)
		}
		return &riverQueue[pgx.Tx]{driver: riverpgxv5.New(pool), tuned: tuned, count: count,
			close: pool.Close}, nil
	}
}

// emptyPostgres drops what earlier contenders have left.
func emptyPostgres(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	return err
}

// openRiverSQLite returns a function that opens River on a new SQLite file.
func openRiverSQLite(tuned time.Duration) func(string, addresses) (queue, error) {
	return func(dir string, _ addresses) (queue, error) {
		path := "file:" + filepath.Join(dir, "river.db") +
			"?_journal=WAL&_timeout=5000&_sync=NORMAL&_stmt_cache_size=64"
		pool, err := openOne(path)
		if err != nil {
			return nil, err
		}
		reader, err := openOne(path)
		if err != nil {
			return nil, err
		}
		closeBoth := func() { _ = errors.Join(reader.Close(), pool.Close()) }
		return &riverQueue[*sql.Tx]{driver: riversqlite.New(pool), tuned: tuned,
			count: counter(reader, riverDone), close: closeBoth}, nil
	}
}

// openOne opens a SQLite file with a pool of one connection.
func openOne(path string) (*sql.DB, error) {
	pool, err := sql.Open("sqlite3", path)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return pool, pool.Ping()
}

// counter returns a function that runs a query for a single number.
func counter(pool *sql.DB, query string) func() (int, error) {
	return func() (n int, err error) { return n, pool.QueryRow(query).Scan(&n) }
}
