package postgres

import (
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"runboard/app"
	"runboard/db/pgtest"
)

// migrateFurther migrates a database as a program does that knows a newer schema, and calls during before it
// lets the other nodes go on.
func migrateFurther(t *testing.T, address string, during func(pool *sql.DB)) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	ok(t, err)
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	ok(t, err)
	defer conn.Close()
	ok(t, lockSchema(ctx, pool, conn))
	_, err = pool.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	ok(t, err)
	during(pool)
}

// A node writes as fast as it can while another one migrates the schema.
func TestSession_NodeOfOlderSchemaWritesNoMore(t *testing.T) {
	t.Parallel()
	address := migrated.Copy(t)
	log := &logText{}
	old := openStore(t, Options{URL: address, Log: slog.New(slog.NewTextHandler(log, nil))})
	work, err := old.Lease()
	ok(t, err)
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = old.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
				}
			}
		})
	}
	runs := func(pool *sql.DB) (n int) {
		ok(t, pool.QueryRowContext(ctx, "SELECT count(*) FROM process_runs").Scan(&n))
		return n
	}
	until(t, "the node writes", func() bool {
		return number(t, old, "SELECT count(*) FROM process_runs") > 10
	})
	var before int
	migrateFurther(t, address, func(pool *sql.DB) { before = runs(pool) })
	select {
	case err := <-old.Failed():
		const want = "was migrated by another version of Runboard (schema 99, this one knows"
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the node fails with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the node has not failed")
	}
	until(t, "the node is not ready", func() bool { return old.Ready() != nil })
	_, err = old.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	wantCode(t, err, app.CodeUnavailable)
	close(stop)
	writers.Wait()
	if work.Err() == nil {
		t.Error("the node still works")
	}
	config, err := pgx.ParseConfig(address)
	ok(t, err)
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	if after := runs(pool); after != before {
		t.Errorf("the node has created %d runs after the migration", after-before)
	}
}

// A node that starts while another one migrates waits, and is then refused or migrates no more.
func TestSession_NodeWaitsForMigration(t *testing.T) {
	t.Parallel()
	address := migrated.Copy(t)
	opened := make(chan error, 1)
	migrateFurther(t, address, func(pool *sql.DB) {
		_, err := pool.ExecContext(ctx, "DELETE FROM goose_db_version WHERE version_id = 99")
		ok(t, err) // as if it were not committed yet
		go func() {
			store, err := Open(ctx, Options{URL: address, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				err = store.Close()
			}
			opened <- err
		}()
		const waiting = `SELECT count(*) FROM pg_locks
			WHERE locktype = 'advisory' AND mode = 'ShareLock' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
		until(t, "the node waits", func() bool {
			var n int
			ok(t, pool.QueryRowContext(ctx, waiting).Scan(&n))
			return n > 0
		})
		_, err = pool.ExecContext(ctx,
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
		ok(t, err)
	})
	select {
	case err := <-opened:
		if err == nil || !strings.Contains(err.Error(), "was migrated by another version") {
			t.Errorf("the node starts with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the node still waits")
	}
}

// Where a pooler lends connections is a matter of what other clients do, so many clients try at once.
func TestSession_PoolerWithoutSessionsIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			address := pgtest.URL(t)
			pooled := pgtest.StartPooler(t, address, mode)
			var clients sync.WaitGroup
			for range 20 {
				clients.Go(func() {
					store, err := Open(ctx, Options{URL: pooled, Log: slog.New(slog.DiscardHandler)})
					if err == nil {
						t.Error("it was opened")
						ok(t, store.Close())
					} else if !strings.Contains(err.Error(), "set pool_mode = session in PgBouncer") {
						t.Errorf("it says %v", err)
					}
				})
			}
			clients.Wait()
			if n := tables(t, address); n != 0 {
				t.Errorf("%d tables were made", n)
			}
		})
	}
}

func TestSession_PoolerWithSessionsIsUsed(t *testing.T) {
	t.Parallel()
	pooled := pgtest.StartPooler(t, pgtest.URL(t), "session")
	a, b := openStore(t, Options{URL: pooled}), openStore(t, Options{URL: pooled, Synchronous: "normal"})
	notified, stop := b.Changed().Subscribe()
	defer stop()
	run := create(t, a, 1)[0]
	awaitNotification(t, notified)
	ok(t, b.Finish(ctx, start(t, b, run), app.Outcome{Status: app.Completed}))
	checkCounts(t, a)
	for store, want := range map[*Store]string{a: "on", b: "off"} {
		var synchronous, timeout string
		ok(t, store.db.GetContext(ctx, &synchronous, "SHOW synchronous_commit"))
		ok(t, store.db.GetContext(ctx, &timeout, "SHOW statement_timeout"))
		if synchronous != want || timeout != "30s" {
			t.Errorf("the settings are %s and %s", synchronous, timeout)
		}
	}
}

// Transactions that lock rows one after the other would fail each other in a database that is serializable by
// default.
func TestSession_IgnoresTheIsolationOfTheDatabase(t *testing.T) {
	t.Parallel()
	first := newStore(t, Options{})
	execute(t, first, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable',
		current_database()); END $$`)
	store := openStore(t, Options{URL: first.options.URL})
	var level string
	ok(t, store.db.GetContext(ctx, &level, "SHOW transaction_isolation"))
	if level != "read committed" {
		t.Errorf("transactions are %s", level)
	}
}
