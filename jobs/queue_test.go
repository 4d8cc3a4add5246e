package jobs_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

func TestQueue_CompletesARun(t *testing.T) {
	t.Parallel()
	store, work := openStore(t), newGated()
	start(t, newQueue(store, work.kind("report")))
	id := create(t, store, "report", 1)

	got := receive(t, work.working, "the work")
	run := read(t, store, id)
	if run.Status != app.Started || run.Version != 2 || run.Attempt != 1 || run.StartedAt.IsZero() {
		t.Errorf("while the work goes on the row is %+v", run)
	}
	if got.Row() != run {
		t.Errorf("the work was given %+v, and the row is %+v", got.Row(), run)
	}
	close(work.gate)
	run = waitForStatus(t, store, id, app.Completed)
	if run.Version != 3 || run.Attempt != 1 || run.FinishedAt.IsZero() || run.Error != "" {
		t.Errorf("in the end the row is %+v", run)
	}
}

func TestQueue_FailsARunWithItsError(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(context.Context, *jobs.Run) error {
		return errors.New("the printer is on fire")
	}}))
	run := waitForStatus(t, store, create(t, store, "report", 1), app.Failed)
	if run.Version != 3 || run.Attempt != 1 || run.FinishedAt.IsZero() ||
		run.Error != "the printer is on fire" {
		t.Errorf("the row is %+v", run)
	}
}

func TestQueue_StartsOldestFirst(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	var order journal[int64]
	note := func(_ context.Context, run *jobs.Run) error { order.add(run.ID); return nil }
	var want []int64
	for i := range 50 {
		want = append(want, create(t, store, []string{"one", "two"}[i%2], 1))
	}
	queue := newQueue(store, jobs.Kind{Name: "one", Work: note}, jobs.Kind{Name: "two", Work: note})
	queue.Workers = 1
	start(t, queue)
	waitForCount(t, store, 50, app.Completed)
	if got := order.all(); !slices.Equal(got, want) {
		t.Errorf("done in the order %v", got)
	}
}

// The queue has prefetched runs 2 and 3 when the oldest run is cancelled or retried.
func TestQueue_PrefetchKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(*testing.T, *sqlite.Store)
		want      int64
	}{
		"nothing happens": {func(*testing.T, *sqlite.Store) {}, 3},
		"one that was found is cancelled": {func(t *testing.T, store *sqlite.Store) {
			cancelRun(t, store, 3)
		}, 4},
		"an older one is tried again": {func(t *testing.T, store *sqlite.Store) {
			if _, err := store.Retry(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, work := openStore(t), newGated()
			create(t, store, "report", 6)
			cancelRun(t, store, 1)
			queue := newQueue(store, work.kind("report"))
			queue.Workers = 1
			start(t, queue)
			receive(t, work.working, "run 2")
			test.meanwhile(t, store)
			work.gate <- struct{}{}
			if next := receive(t, work.working, "the next run"); next.ID != test.want {
				t.Errorf("run %d is next, want %d", next.ID, test.want)
			}
			close(work.gate)
		})
	}
}

// There are no notifications, so the queue fetches only when it has too few runs.
func TestQueue_FetchesManyAtOnce(t *testing.T) {
	t.Parallel()
	const total = 400
	var looks atomic.Int64
	store := &hookedStore{Store: openStore(t), notifier: new(app.Notifier),
		beforeFetch: func(int) error { looks.Add(1); return nil }}
	create(t, store.Store, "quick", total)
	start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}))
	waitForCount(t, store.Store, total, app.Completed)
	if n := looks.Load(); n > total/2 {
		t.Errorf("it has looked %d times for %d runs", n, total)
	}
}

// Without notifications, each round would wait for the next tick, half a second on average, and a hundred
// rounds would exceed the deadline.
func TestQueue_WakesUpWhenNotified(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}))
	deadline := time.After(patience)
	for round := range 100 {
		waitForStatus(t, store, create(t, store, "quick", 1), app.Completed)
		select {
		case <-deadline:
			t.Fatalf("only %d rounds are done: the notification does not wake the queue", round)
		default:
		}
	}
}

func TestQueue_PollsWithoutNotification(t *testing.T) {
	t.Parallel()
	looked := make(chan int, 1000)
	store := &hookedStore{
		Store: openStore(t), notifier: new(app.Notifier), // never notified
		beforeFetch: func(limit int) error { looked <- limit; return nil },
	}
	start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}))
	receive(t, looked, "the first look") // otherwise the first fetch would find the run
	waitForStatus(t, store.Store, create(t, store.Store, "quick", 1), app.Completed)
}

func TestQueue_RetriesAFailedFetch(t *testing.T) {
	t.Parallel()
	fault := failing(1)
	store := &hookedStore{Store: openStore(t), beforeFetch: func(int) error { return fault() }}
	id := create(t, store.Store, "quick", 1)
	start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}))
	waitForStatus(t, store.Store, id, app.Completed)
}

func TestQueue_LeavesUnknownKinds(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	other := create(t, store, "other", 30) // more than one fetch reads
	start(t, newQueue(store, jobs.Kind{Name: "known", Work: nothing}))
	waitForStatus(t, store, create(t, store, "known", 1), app.Completed)
	if run := read(t, store, other); run.Status != app.Created || run.Version != 1 {
		t.Errorf("the row is %+v", run)
	}
	start(t, newQueue(store, jobs.Kind{Name: "other", Work: nothing}))
	waitForCount(t, store, 31, app.Completed)
}

func TestQueue_PanicFailsTheRunOnly(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	queue := newQueue(store,
		jobs.Kind{Name: "bad",
			Work: func(context.Context, *jobs.Run) error { panic("password=hunter2 at queue.go:12") }},
		jobs.Kind{Name: "worse",
			Work: func(context.Context, *jobs.Run) error { var none []int; _ = none[3]; return nil }},
		jobs.Kind{Name: "good", Work: nothing})
	queue.Workers = 1
	start(t, queue)
	for _, kind := range []string{"bad", "worse"} {
		run := waitForStatus(t, store, create(t, store, kind, 1), app.Failed)
		if run.Error != "the work panicked; the server's log says where" {
			t.Errorf("the error is %q", run.Error)
		}
	}
	waitForStatus(t, store, create(t, store, "good", 1), app.Completed)
}

func TestQueue_GoexitFailsTheRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	queue := newQueue(store, jobs.Kind{Name: "goexit",
		Work: func(context.Context, *jobs.Run) error { runtime.Goexit(); return nil }})
	queue.Workers = 1
	start(t, queue)
	for range 2 {
		waitForStatus(t, store, create(t, store, "goexit", 1), app.Failed)
	}
}

// brokenError has the methods of an error that panic with a nil pointer, which as an error is not nil.
type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

func TestQueue_BrokenErrorFailsTheRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	broken := func(context.Context, *jobs.Run) error { var err *brokenError; return err }
	wrapped := func(context.Context, *jobs.Run) error { return jobs.RetryAfter(time.Hour, (*brokenError)(nil)) }
	start(t, newQueue(store, jobs.Kind{Name: "broken", Work: broken}, jobs.Kind{Name: "wrapped", Work: wrapped}))
	for _, kind := range []string{"broken", "wrapped"} {
		run := waitForStatus(t, store, create(t, store, kind, 1), app.Failed)
		if run.Error != "the work panicked; the server's log says where" {
			t.Errorf("the error is %q", run.Error)
		}
	}
}

// Tools that color their messages do so in errors, too.
func TestQueue_ErrorsAndProgressHaveNoEscapeSequences(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	start(t, newQueue(store, jobs.Kind{Name: "red", Work: func(_ context.Context, run *jobs.Run) error {
		run.Progress(50, "\x1b[1mhalf\x1b[m done")
		return errors.New("\x1b[31mdisk full\x1b[0m:\n\x1b]8;;http://host\x07sda\x1b]8;;\x07")
	}}))
	run := waitForStatus(t, store, create(t, store, "red", 1), app.Failed)
	if run.Error != "disk full:\nsda" || run.Message != "half done" {
		t.Errorf("the error is %q, the message %q", run.Error, run.Message)
	}
}

func TestQueue_TimeoutFailsTheRun(t *testing.T) {
	t.Parallel()
	store, work := openStore(t), newGated()
	queue := newQueue(store, work.kind("slow"))
	queue.Executor.RunTimeout = 50 * time.Millisecond
	start(t, queue)
	run := waitForStatus(t, store, create(t, store, "slow", 1), app.Failed)
	if run.Error != "timed out after 50 ms (limit)" {
		t.Errorf("the error is %q", run.Error)
	}
}

func TestQueue_WorkLearnsTheCause(t *testing.T) {
	t.Parallel()
	store, causes := openStore(t), make(chan error, 1)
	queue := newQueue(store, jobs.Kind{Name: "slow", Work: func(ctx context.Context, _ *jobs.Run) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil // too late
	}})
	queue.Executor.RunTimeout = 50 * time.Millisecond
	start(t, queue)
	waitForStatus(t, store, create(t, store, "slow", 1), app.Failed)
	if cause := receive(t, causes, "the cause"); !errors.Is(cause, jobs.ErrTimeout) {
		t.Errorf("the cause is %v", cause)
	}
}

// A hundred thousand waiting rows must cost no more memory than ten. The test is not parallel, because it
// measures the heap of the whole process.
func TestQueue_CreatedRunsCostNoMemory(t *testing.T) {
	const workers, waiting = 4, 100_000
	var limits gauge
	store := &hookedStore{Store: openStore(t),
		beforeFetch: func(limit int) error { limits.show(limit); return nil }}
	for range waiting / app.MaxCount {
		create(t, store.Store, "held", app.MaxCount)
	}
	var busy gauge
	work := newGated()
	queue := newQueue(store, jobs.Kind{Name: "held", Work: func(ctx context.Context, run *jobs.Run) error {
		busy.up()
		defer busy.down()
		return work.work(ctx, run)
	}})
	queue.Workers, queue.DrainTimeout = workers, 0
	before := heap()
	stop, stopped := start(t, queue)
	for range 500 { // each round completes one run, so that the queue starts another
		receive(t, work.working, "the work")
		work.gate <- struct{}{}
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	stop()
	receive(t, stopped, "the queue to stop")
	if n := busy.highest(); n > workers {
		t.Errorf("%d runs were in work at once, with %d workers", n, workers)
	}
	if n := limits.highest(); n > 8*workers {
		t.Errorf("%d rows were read at once", n)
	}
	if got := counts(t, store.Store); got[app.Started] != 0 || got.Total() != waiting ||
		got[app.Completed] < 500 {
		t.Errorf("in the end there are %v", got)
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A run may be retried before its worker has reported that the result is saved. The queue must then
// start it at once and not at the next tick, a second later. In a bubble that second passes only if
// the queue waits for it.
func TestQueue_FetchesAnEarlyRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		work, working := make(chan struct{}), make(chan *jobs.Run, 10)
		deaf := jobs.Kind{Name: "deaf", Work: func(_ context.Context, run *jobs.Run) error {
			working <- run
			<-work
			return nil
		}}
		store := &hookedStore{Store: openStore(t)}
		var began time.Time
		var once sync.Once
		store.afterFinish = func(run app.ProcessRun, _ app.Outcome, _ error) {
			once.Do(func() {
				if _, err := store.Retry(context.Background(), run.ID); err != nil {
					t.Error(err)
				}
				synctest.Wait() // the queue fetches meanwhile
				began = time.Now()
			})
		}
		stop, stopped := start(t, newQueue(store, deaf))
		id := create(t, store.Store, "deaf", 1)
		<-working
		cancelRun(t, store, id)
		close(work)
		<-working
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the run that came back had to wait for %s", waited)
		}
		stop()
		<-stopped
	})
}
