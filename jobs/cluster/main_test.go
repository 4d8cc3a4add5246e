package cluster_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runboard/app"
	"runboard/db/pgtest"
	"runboard/db/postgres"
	"runboard/jobs"
	"runboard/jobs/cluster"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil { // most tests wait, for maintenance or for a time-out
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for an event that must happen. Nodes look for lost runs only now and
// then.
const patience = 90 * time.Second

const maxCrashes = 3

var errBroken = errors.New("broken")

// migrated is a template with the schema of a store.
var migrated = pgtest.NewTemplate(func(address string) error {
	store, err := postgres.Open(context.Background(), options(address))
	if err != nil {
		return err
	}
	return store.Close()
})

func options(address string) postgres.Options {
	kinds := append(app.BulkKinds(), "test")
	return postgres.Options{URL: address, MaxCrashes: maxCrashes, MaxConns: 10, Workers: 4,
		Kinds: func() []string { return kinds }, Log: slog.New(slog.DiscardHandler)}
}

// openStore opens a real store on a new database.
func openStore(t testing.TB) *postgres.Store {
	t.Helper()
	return openAt(t, migrated.Copy(t))
}

// openAt opens the store of another node on an existing database.
func openAt(t testing.TB, address string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(context.Background(), options(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// query reads one value from the database.
func query[T any](t testing.TB, store *postgres.Store, text string, args ...any) (value T) {
	t.Helper()
	if err := store.Pool().QueryRow(t.Context(), text, args...).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// execute changes rows in the database without the store. At least one row must change.
func execute(t testing.TB, store *postgres.Store, text string, args ...any) {
	t.Helper()
	tag, err := store.Pool().Exec(t.Context(), text, args...)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatal(tag, err)
	}
}

// define changes the schema of the database.
func define(t testing.TB, store *postgres.Store, text string) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// newEngine returns an engine with settings that suit most tests.
func newEngine(store *postgres.Store, kinds ...jobs.Kind) *cluster.Engine {
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		panic(err)
	}
	return &cluster.Engine{
		Store: store, Workers: 4,
		Runs: newExecutor(store, registry, 10*time.Minute),
		Bulk: newExecutor(store, jobs.BulkRegistry(store), time.Hour),
	}
}

func newExecutor(store *postgres.Store, registry *jobs.Registry, timeout time.Duration) *jobs.Executor {
	return &jobs.Executor{
		Store: store, Registry: registry, MaxAttempts: 1, RunTimeout: timeout,
		Log: slog.New(slog.DiscardHandler),
	}
}

// start runs the engine until stop is called or the test ends. stopped is closed when the engine has stopped.
func start(t testing.TB, engine *cluster.Engine) (stop func(), stopped <-chan struct{}) {
	t.Helper()
	return startUntil(t, engine, context.Background())
}

func startUntil(t testing.TB, engine *cluster.Engine, hardStop context.Context) (stop func(), stopped <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		engine.Run(ctx, hardStop)
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, done, "the engine to stop")
	})
	return cancel, done
}

// receive waits for a value, or until the channel is closed. The test fails after patience.
func receive[T any](t testing.TB, from <-chan T, what string) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(patience):
		t.Fatalf("waited too long for %s", what)
	}
	return value
}

// create creates runs and returns the first ID.
func create(t testing.TB, store *postgres.Store, kind string, count int) int64 {
	t.Helper()
	batch, err := store.Create(t.Context(), app.CreateRequest{Kind: kind, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return batch.First
}

// created creates a run as soon as the database is writable.
func created(t testing.TB, store *postgres.Store) (run int64) {
	t.Helper()
	waitUntil(t, store, "a run to be created", func() bool {
		batch, err := store.Create(context.Background(), app.CreateRequest{Kind: "test", Count: 1})
		run = batch.First
		return err == nil
	})
	return run
}

func read(t testing.TB, store *postgres.Store, id int64) app.ProcessRun {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // the database may be down
		page, err := store.Run(context.Background(), id)
		if err == nil {
			return page.Run
		}
		if app.CodeOf(err) != app.CodeUnavailable || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// waitUntil calls there after each change in the store, and every 100 ms, and returns when it reports true.
func waitUntil(t testing.TB, store *postgres.Store, what string, there func() bool) {
	t.Helper()
	notifications, stop := store.Changed().Subscribe()
	defer stop()
	// Changes of jobs do not notify.
	deadline, again := time.After(patience), time.NewTicker(100*time.Millisecond)
	defer again.Stop()
	for !there() {
		select {
		case <-notifications:
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// waitForStatus waits until a run has the status, and returns the run.
func waitForStatus(t testing.TB, store *postgres.Store, id int64, status app.Status) (run app.ProcessRun) {
	t.Helper()
	waitUntil(t, store, "a run to be "+status.String(), func() bool {
		run = read(t, store, id)
		return run.Status == status
	})
	return run
}

// waitForCount waits until n runs have the status.
func waitForCount(t testing.TB, store *postgres.Store, n int, status app.Status) {
	t.Helper()
	waitUntil(t, store, "runs to be "+status.String(), func() bool {
		page, err := store.Page(context.Background(), app.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return page.Counts[status] == int64(n)
	})
}

// jobCount returns the number of jobs of a run.
func jobCount(t testing.TB, store *postgres.Store, run int64) int {
	t.Helper()
	return query[int](t, store, `SELECT count(*) FROM river_job WHERE (args->>'run')::bigint = $1`, run)
}

// gated is work that reports its start on working and runs until the test opens the gate or its context ends.
type gated struct {
	working chan *jobs.Run
	gate    chan struct{}
}

func newGated() *gated {
	return &gated{working: make(chan *jobs.Run, 1000), gate: make(chan struct{})}
}

func (g *gated) kind(name string) jobs.Kind { return jobs.Kind{Name: name, Work: g.work} }

func (g *gated) work(ctx context.Context, run *jobs.Run) error {
	g.working <- run
	select {
	case <-g.gate:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// journal is a list that several goroutines may append to.
type journal[T any] struct {
	mu      sync.Mutex
	entries []T
}

func (j *journal[T]) add(entry T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal[T]) all() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]T(nil), j.entries...)
}

func nothing(context.Context, *jobs.Run) error { return nil }
