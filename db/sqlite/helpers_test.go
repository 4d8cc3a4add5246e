package sqlite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/mattn/go-sqlite3"

	"runboard/app"
	"runboard/db/dbtest"
	"runboard/db/query"
)

// patience is how long a test waits for an event. Only a failing test waits so long.
const patience = 30 * time.Second

const kind = "simulated"

var ctx = context.Background()

// clock is a settable clock. It is safe for concurrent use.
type clock struct{ unixMicro atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unixMicro.Store(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.unixMicro.Load()) }
func (c *clock) advance(d time.Duration) { c.unixMicro.Add(d.Microseconds()) }

// emptyFile returns the content of a database without runs. Tests start from it, because hundreds of
// migrations take longer than all else.
var emptyFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "runboard")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "runs.db")
	store, err := Open(ctx, Options{Path: path, Synchronous: "normal", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// writeEmptyFile creates a database without runs at path.
func writeEmptyFile(t dbtest.TB, path string) {
	t.Helper()
	content, err := emptyFile()
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatalf("no database could be created: %v", err)
	}
}

// newStore opens a store with a new database. The test closes it.
func newStore(t testing.TB, options Options) *Store {
	t.Helper()
	options.Path = filepath.Join(t.TempDir(), "runs.db")
	writeEmptyFile(t, options.Path)
	return openStore(t, options)
}

// openStore opens a store, by default without waiting for the disk: a test cannot cut the power.
func openStore(t testing.TB, options Options) *Store {
	t.Helper()
	options.Log = slog.New(slog.DiscardHandler)
	options.Synchronous = cmp.Or(options.Synchronous, "normal")
	store, err := Open(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

func closeStore(t testing.TB, store *Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, store *Store, n int) []app.ProcessRun {
	t.Helper()
	batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: n})
	if err != nil {
		t.Fatal(err)
	}
	return batch.Runs()
}

// newRuns returns n runs to insert.
func newRuns(n int) query.NewRuns {
	return query.NewRuns{CreateRequest: app.CreateRequest{Kind: kind, Count: n}}
}

func start(t testing.TB, store *Store, run app.ProcessRun) app.ProcessRun {
	t.Helper()
	started, err := store.Start(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func get(t testing.TB, store *Store, id int64) app.ProcessRun {
	t.Helper()
	page, err := store.Run(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return page.Run
}

// checkCounts compares the saved counts with the rows, on a separate connection, and returns them.
func checkCounts(t *testing.T, store *Store) app.Counts {
	t.Helper()
	pool := openReadOnly(t, store.options.Path)
	defer pool.Close()
	kept, err := query.ReadCounts(ctx, pool)
	if err != nil {
		t.Fatal(err)
	}
	var counted app.Counts
	for status := range counted {
		if err := pool.Get(&counted[status], "SELECT COUNT(*) FROM process_runs WHERE status = ?",
			status); err != nil {
			t.Fatal(err)
		}
	}
	if kept != counted {
		t.Fatalf("the counts are %v, the rows %v", kept, counted)
	}
	checkLogSizes(t, pool)
	return kept
}

// checkLogSizes compares the saved log sizes with the logs.
func checkLogSizes(t *testing.T, pool *sqlx.DB) {
	t.Helper()
	var wrong int
	err := pool.Get(&wrong, `SELECT COUNT(*) FROM (SELECT run_id, sum(stop - start) AS bytes FROM run_logs GROUP BY run_id) AS counted
		FULL JOIN log_sizes USING (run_id) WHERE counted.bytes IS NOT log_sizes.bytes`)
	if err != nil || wrong != 0 {
		t.Fatalf("the sizes of %d logs are wrong: %v", wrong, err)
	}
}

// openReadOnly opens a file read-only, as another program would.
func openReadOnly(t *testing.T, path string) *sqlx.DB {
	t.Helper()
	pool, err := sqlx.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(4)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// change executes SQL on a file, as another program would.
func change(t testing.TB, path, text string) {
	t.Helper()
	pool, err := sqlx.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition and fails the test after patience.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// hold blocks the writer until release is called, so that later writes form one batch.
func hold(t *testing.T, store *Store) (release func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- store.writer.do(ctx, func(*transaction) error {
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waitForWrites waits until n writes are enqueued at a blocked writer.
func waitForWrites(t *testing.T, store *Store, n int) {
	t.Helper()
	until(t, "the writes were handed in", func() bool { return len(store.writer.writes) == n })
}

// enqueue adds a write and returns the channel of its result.
func enqueue(t *testing.T, store *Store, apply func(*transaction) error) <-chan error {
	t.Helper()
	request := write{apply: apply, done: make(chan error, 1)}
	if err := store.writer.enqueue(ctx, request); err != nil {
		t.Fatal(err)
	}
	return request.done
}

// lockDatabase holds the write lock of the database on another connection, as another program may, until
// release is called.
func lockDatabase(t *testing.T, store *Store) (release func()) {
	t.Helper()
	pool, err := sqlx.Open("sqlite3", "file:"+store.options.Path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Connx(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		_ = pool.Close()
	})
	t.Cleanup(release)
	return release
}

// onCommit calls f before each commit of the writer. The commit fails if f returns false.
func onCommit(t *testing.T, store *Store, f func() bool) {
	t.Helper()
	err := store.writer.conn.Raw(func(conn any) error {
		conn.(*sqlite3.SQLiteConn).RegisterCommitHook(func() int {
			if f() {
				return 0
			}
			return 1
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// setPragma sets a pragma on the writer's connection.
func setPragma(t *testing.T, store *Store, text string) {
	t.Helper()
	if _, err := store.writer.conn.ExecContext(ctx, "PRAGMA "+text); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code app.Code) {
	t.Helper()
	if app.CodeOf(err) != code {
		t.Fatalf("the error is %v and should have the code %q", err, code)
	}
}

// copyOf copies an open database with its write-ahead log, as a crash would leave it.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// fingerprint returns a hash of the content of a file.
func fingerprint(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// refusal checks that Open refuses a file with a one-line error, and returns the reason.
func refusal(t *testing.T, path string) string {
	t.Helper()
	store, err := Open(ctx, Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		closeStore(t, store)
		t.Fatal("it was opened")
	}
	line := err.Error()
	reason, found := strings.CutPrefix(line, "the database "+path+" ")
	if !found || strings.ContainsRune(line, '\n') {
		t.Fatalf("this should be one line that names the file: %q", line)
	}
	return reason
}
