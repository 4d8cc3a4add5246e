package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/query"
)

// refusal opens a database that must be refused, and returns what its one line says.
func refusal(t *testing.T, address string) string {
	t.Helper()
	store, err := Open(ctx, Options{URL: address, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		ok(t, store.Close())
		t.Fatal("it was opened")
	}
	line := err.Error()
	if !strings.HasPrefix(line, "the database ") || strings.ContainsRune(line, '\n') ||
		strings.Contains(line, "secret") {
		t.Fatalf("this should be one line without a password: %q", line)
	}
	return line
}

// through executes something in a database.
func through(t *testing.T, address, text string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	ok(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, text, args...)
	ok(t, err)
}

// tables is how many tables a database has.
func tables(t *testing.T, address string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	ok(t, err)
	defer conn.Close(ctx)
	ok(t, conn.QueryRow(ctx, "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')").Scan(&n))
	return n
}

// as is the same address for another user, with a password.
func as(t *testing.T, address, user string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	ok(t, err)
	parsed.User = url.UserPassword(user, "secret")
	return parsed.String()
}

func TestOpen_RefusesUnusableDatabaseInOneLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address func(t *testing.T) string
		says    string
		tables  int
	}{
		"a newer schema": {func(t *testing.T) string {
			address := migrated.Copy(t)
			through(t, address, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
			return address
		}, fmt.Sprintf("was made by a newer version of Runboard (schema 99, this one knows %d)",
			schemaVersion), -1},
		"no permission": {func(t *testing.T) string {
			address := pgtest.URL(t)
			user := "nobody_" + pgtest.Name(address)
			through(t, address, "CREATE ROLE "+user+" LOGIN")
			t.Cleanup(func() { through(t, address, "DROP OWNED BY "+user+"; DROP ROLE "+user) })
			return as(t, address, user)
		}, "permission denied", 0},
		"no such user": {func(t *testing.T) string { return as(t, pgtest.URL(t), "who") },
			`cannot be reached: FATAL: role "who" does not exist`, 0},
		"no such database": {func(t *testing.T) string {
			return strings.Replace(migrated.Copy(t), "runboard_test", "runboard_none", 1)
		}, "does not exist", -1},
		"no such server": {func(*testing.T) string { return "postgres://me:secret@127.0.0.1:1/runs" },
			"cannot be reached", -1},
		"one whose password is a parameter": {func(*testing.T) string {
			return "postgres://127.0.0.1:1/runs?user=me&password=secret%zz&sslpassword=secret"
		}, "the database postgres://127.0.0.1:1/runs cannot be reached", -1},
		"no such address": {func(*testing.T) string { return "postgres://me:secret@host:x/runs" },
			"its address is not like", -1},
		"another encoding": {func(t *testing.T) string {
			address := migrated.Copy(t)
			name := pgtest.Name(address) + "_latin"
			through(t, address, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
			t.Cleanup(func() { through(t, address, "DROP DATABASE "+name+" WITH (FORCE)") })
			return strings.Replace(address, pgtest.Name(address), name, 1)
		}, "its encoding is LATIN1 and must be UTF8", 0},
		"one that may only be read": {func(t *testing.T) string {
			address := pgtest.URL(t)
			through(t, address, "ALTER DATABASE "+pgtest.Name(address)+" SET default_transaction_read_only = on")
			return address
		}, "cannot be migrated", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := test.address(t)
			if line := refusal(t, address); !strings.Contains(line, test.says) {
				t.Errorf("it says %q", line)
			}
			if test.tables == 0 && !strings.Contains(address, "who:") {
				address = as(t, address, "postgres")
				if n := tables(t, address); n != 0 {
					t.Errorf("%d tables were made", n)
				}
			}
		})
	}
}

func TestOpen_ConcurrentNodesMigrateOnce(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			store, err := Open(ctx, Options{URL: address, MaxConns: 3, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1}); err != nil {
				t.Error(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	store := openStore(t, Options{URL: address})
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 4}) {
		t.Errorf("there are %v", counts)
	}
	if n := number(t, store, "SELECT count(*) FROM nodes"); n != 1 || store.Node() != 5 {
		t.Errorf("%d nodes are left, and the fifth is number %d", n, store.Node())
	}
}

// A busy server is slow to start the process of a connection. The caller gives up, but the pool does not.
func TestPool_SlowConnectionIsUsedLater(t *testing.T) {
	t.Parallel()
	config := newStore(t, Options{}).Pool().Config()
	config.MinIdleConns, config.MaxConns = 0, 1
	ready, dials := make(chan struct{}), atomic.Int32{}
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		select {
		case <-ready:
			return dial(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	ok(t, err)
	defer pool.Close()
	read, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	if err := pool.Ping(read); !errors.Is(err, context.DeadlineExceeded) || isUnavailable(err) {
		t.Fatalf("the error of a slow server is %v", err)
	}
	close(ready)
	ok(t, pool.Ping(ctx))
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections were opened instead of one", n)
	}
}

func TestPool_UnreachableServerIsFoundByWrites(t *testing.T) {
	t.Parallel()
	config := newStore(t, Options{}).Pool().Config()
	if limit := config.ConnConfig.ConnectTimeout; limit >= writeTimeout || limit >= listenTimeout {
		t.Errorf("opening a connection may take %v, as long as a write", limit)
	}
}

// Close refuses reads before it stops the background work.
func TestClose_RefusedRescueIsNoError(t *testing.T) {
	t.Parallel()
	log := &logText{}
	store := newStore(t, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if !store.door.enter() { // a read that Close waits for
		t.Fatal("the store is closed")
	}
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	until(t, "the store refuses reads", store.door.isClosed)
	for range 2 {
		store.rescuer.wake <- struct{}{}
	}
	until(t, "the first rescue has been refused", func() bool { return len(store.rescuer.wake) == 0 })
	store.door.leave()
	ok(t, <-closed)
	if text := log.String(); strings.Contains(text, "rescued") {
		t.Errorf("the log is %s", text)
	}
}

// logText is a log writer that keeps its text.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestClose_RefusesLaterCalls(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := create(t, store, 1)[0]
	for range 2 {
		ok(t, store.Close())
	}
	_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	wantCode(t, err, app.CodeUnavailable)
	_, err = store.Start(ctx, run)
	wantCode(t, err, app.CodeUnavailable)
	_, err = store.Page(ctx, app.Query{})
	wantCode(t, err, app.CodeUnavailable)
	wantCode(t, store.Ready(), app.CodeUnavailable)
}

func TestClose_DoesNotWaitForLeakedConnections(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	conn, err := store.Pool().Acquire(ctx)
	ok(t, err)
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	select {
	case err := <-closed:
		ok(t, err)
	case <-time.After(patience):
		t.Error("it still waits")
	}
	conn.Release()
}

func TestKinds_AreSortedByBytes(t *testing.T) {
	t.Parallel()
	address := migrated.Copy(t)
	name := pgtest.Name(address) + "_icu"
	through(t, address, fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'", name))
	t.Cleanup(func() { through(t, address, "DROP DATABASE "+name+" WITH (FORCE)") })
	store := openStore(t, Options{URL: strings.Replace(address, pgtest.Name(address), name, 1),
		Kinds: func() []string { return []string{} }})
	for _, kind := range []string{"ant", "Bee", "Zoo", "übel"} {
		_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
		ok(t, err)
	}
	page, err := store.Page(ctx, app.Query{})
	ok(t, err)
	if want := (app.UnhandledKinds{{Kind: "Bee", Runs: 1}, {Kind: "Zoo", Runs: 1},
		{Kind: "ant", Runs: 1}}); page.Unhandled != want {
		t.Errorf("the counts are %v", page.Unhandled)
	}
}
