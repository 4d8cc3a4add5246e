package jobs_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/jobs/command"
)

func TestMain(m *testing.M) {
	// this test binary is also the supervisor of the commands
	command.Main()
	if path := os.Getenv(dumpVariable); path != "" { // and a command, see dump
		dump(path)
	}
	if err := command.Guard(); err != nil {
		panic(err)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // most tests wait, for a command or for a time-out
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for an event that must happen.
const patience = 30 * time.Second

// openStore opens a real database in a temporary directory.
func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "runs.db"), time.Now)
}

func openAt(t *testing.T, path string, now func() time.Time) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: path, Synchronous: "normal", MaxCrashes: maxCrashes, Now: now,
		Log:     slog.New(slog.DiscardHandler),
		Secrets: func() *app.SecretBox { return secrets },
	})
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

// clock is the clock of a store. Tests can set it forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time              { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) setForward(by time.Duration) { c.ahead.Add(int64(by)) }

const maxCrashes = 3

// secrets encrypts the secret inputs of all stores.
var secrets = func() *app.SecretBox {
	box, err := app.NewSecretBox(app.NewSecretKey())
	if err != nil {
		panic(err)
	}
	return box
}()

// newQueue returns a queue with settings that suit most tests.
func newQueue(queueStore app.QueueStore, kinds ...jobs.Kind) *jobs.Queue {
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		panic(err)
	}
	return &jobs.Queue{
		Store: queueStore, Workers: 4, MaxCrashes: maxCrashes, DrainTimeout: patience,
		Executor: &jobs.Executor{
			Store: queueStore, Registry: registry, MaxAttempts: 1, RunTimeout: 10 * time.Minute,
			Log: slog.New(slog.DiscardHandler),
		},
	}
}

// start runs the queue until stop is called or the test ends. stopped is closed when the queue has stopped.
func start(t *testing.T, queue *jobs.Queue) (stop func(), stopped <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(ctx, context.Background())
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, done, "the queue to stop")
	})
	return cancel, done
}

// receive waits for a value, or until the channel is closed. The test fails after patience.
func receive[T any](t *testing.T, from <-chan T, what string) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(patience):
		t.Fatalf("waited too long for %s", what)
	}
	return value
}

// create creates runs and returns the first ID.
func create(t *testing.T, store *sqlite.Store, kind string, count int) int64 {
	t.Helper()
	batch, err := store.Create(t.Context(), app.CreateRequest{Kind: kind, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return batch.First
}

func read(t *testing.T, store *sqlite.Store, id int64) app.ProcessRun {
	t.Helper()
	page, err := store.Run(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return page.Run
}

func counts(t *testing.T, store *sqlite.Store) app.Counts {
	t.Helper()
	page, err := store.Page(context.Background(), app.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Counts
}

// waitUntil calls condition after each change in the store and returns when it reports true. The test
// fails after patience.
func waitUntil(t *testing.T, store *sqlite.Store, what string, condition func() bool) {
	t.Helper()
	notifications, stop := store.Changed().Subscribe()
	defer stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-notifications:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// waitForStatus waits until a run has the status, and returns the run.
func waitForStatus(t *testing.T, store *sqlite.Store, id int64, status app.Status) (run app.ProcessRun) {
	t.Helper()
	waitUntil(t, store, "a run to be "+status.String(), func() bool {
		run = read(t, store, id)
		return run.Status == status
	})
	return run
}

// waitForCount waits until n runs have the status.
func waitForCount(t *testing.T, store *sqlite.Store, n int, status app.Status) {
	t.Helper()
	waitUntil(t, store, "runs to be "+status.String(),
		func() bool { return counts(t, store)[status] == int64(n) })
}

// hookedStore wraps a real store. It reports calls to the test and lets the test make them fail. Set its
// fields before the queue runs.
type hookedStore struct {
	*sqlite.Store
	notifier    *app.Notifier              // replaces the notifier of the store if not nil
	beforeFetch func(limit int) error      // before FetchDue
	beforeStart func(app.ProcessRun) error // before StartMany, per run; may fail
	// before Finish and CompleteMany, per run; may fail
	beforeFinish  func(app.ProcessRun, app.Outcome) error
	afterFinish   func(app.ProcessRun, app.Outcome, error)    // after Finish and CompleteMany, per run
	beforeRequeue func(run app.ProcessRun) (preventing error) // before Requeue; may fail

	beforeStartMany func([]app.ProcessRun) // before StartMany

	beforeProgress       func(app.ProgressUpdate) error // before a report is saved; may fail
	beforeCancelRequests func()                         // before CancelRequests
	beforeInputs         func() error                   // before Inputs; may fail
}

func (b *hookedStore) Changed() *app.Notifier {
	if b.notifier != nil {
		return b.notifier
	}
	return b.Store.Changed()
}

func (b *hookedStore) FetchDue(ctx context.Context, kinds []app.DueKind, limit int) ([]app.ProcessRun, error) {
	if b.beforeFetch != nil {
		if err := b.beforeFetch(limit); err != nil {
			return nil, err
		}
	}
	return b.Store.FetchDue(ctx, kinds, limit)
}

func (b *hookedStore) StartMany(ctx context.Context, runs []app.ProcessRun) ([]app.ProcessRun, error) {
	if b.beforeStartMany != nil {
		b.beforeStartMany(runs)
	}
	if b.beforeStart != nil {
		for _, run := range runs {
			if err := b.beforeStart(run); err != nil {
				return nil, err
			}
		}
	}
	return b.Store.StartMany(ctx, runs)
}

func (b *hookedStore) Finish(ctx context.Context, run app.ProcessRun, outcome app.Outcome) (err error) {
	if b.beforeFinish != nil {
		err = b.beforeFinish(run, outcome)
	}
	if err == nil {
		err = b.Store.Finish(ctx, run, outcome)
	}
	if b.afterFinish != nil {
		b.afterFinish(run, outcome, err)
	}
	return err
}

func (b *hookedStore) CompleteMany(ctx context.Context, runs []app.ProcessRun) (late []app.ProcessRun, err error) {
	completed := app.Outcome{Status: app.Completed}
	for i := 0; i < len(runs) && err == nil && b.beforeFinish != nil; i++ {
		err = b.beforeFinish(runs[i], completed)
	}
	if err == nil {
		late, err = b.Store.CompleteMany(ctx, runs)
	}
	for _, run := range runs {
		if b.afterFinish == nil {
			break
		}
		b.afterFinish(run, completed, errOf(run, late, err))
	}
	return late, err
}

// errOf returns the error that Finish would have returned for a run that was passed to CompleteMany.
func errOf(run app.ProcessRun, late []app.ProcessRun, err error) error {
	if err == nil && slices.Contains(late, run) {
		return app.Errorf(app.CodeConflict, "Run %d is late.", run.ID)
	}
	return err
}

func (b *hookedStore) Requeue(ctx context.Context, run app.ProcessRun) error {
	if b.beforeRequeue != nil {
		if err := b.beforeRequeue(run); err != nil {
			return err
		}
	}
	return b.Store.Requeue(ctx, run)
}

func (b *hookedStore) SaveProgress(ctx context.Context, run app.ProcessRun, report app.ProgressUpdate) error {
	if b.beforeProgress != nil {
		if err := b.beforeProgress(report); err != nil {
			return err
		}
	}
	return b.Store.SaveProgress(ctx, run, report)
}

func (b *hookedStore) Inputs(ctx context.Context, run app.ProcessRun) (app.InputValues, error) {
	if b.beforeInputs != nil {
		if err := b.beforeInputs(); err != nil {
			return nil, err
		}
	}
	return b.Store.Inputs(ctx, run)
}

func (b *hookedStore) CancelRequests(ctx context.Context) ([]app.CancelRequest, error) {
	if b.beforeCancelRequests != nil {
		b.beforeCancelRequests()
	}
	return b.Store.CancelRequests(ctx)
}

// failing returns a function that fails the first n times, as if the disk were full.
func failing(n int32) func() error {
	var calls atomic.Int32
	return func() error {
		if calls.Add(1) <= n {
			return app.Errorf(app.CodeUnavailable, "The disk is full.")
		}
		return nil
	}
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

// gauge records a current value and its maximum.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) up() (now int) { return g.move(+1) }
func (g *gauge) down()         { g.move(-1) }

func (g *gauge) move(by int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += by
	g.most = max(g.most, g.now)
	return g.now
}

// show sets the current value to n.
func (g *gauge) show(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now, g.most = n, max(g.most, n)
}

func (g *gauge) highest() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
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
