package jobs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
	"runboard/jobs"
)

func TestDrain_CompletesRunningWorkOnly(t *testing.T) {
	t.Parallel()
	store, work := openStore(t), newGated()
	queue := newQueue(store, work.kind("report"))
	queue.Workers = 2
	first := create(t, store, "report", 10)
	stop, stopped := start(t, queue)
	receive(t, work.working, "the work")
	receive(t, work.working, "the other work")
	stop()
	select {
	case <-stopped:
		t.Fatal("the queue has stopped although work goes on")
	default:
	}
	close(work.gate)
	receive(t, stopped, "the queue to stop")
	for id := first; id < first+10; id++ {
		want, version := app.Completed, int64(3)
		if id >= first+2 {
			want, version = app.Created, 1
		}
		if run := read(t, store, id); run.Status != want || run.Version != version {
			t.Errorf("want %s, and the row is %+v", want, run)
		}
	}
}

func TestDrain_RequeuesWorkAtTheTimeout(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	working, causes := make(chan int64, 4), make(chan error, 4)
	queue := newQueue(store, jobs.Kind{Name: "long", Work: func(ctx context.Context, run *jobs.Run) error {
		working <- run.ID
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return errors.New("interrupted, and in a bad mood") // ignored: the interruption counts as no attempt
	}})
	queue.Workers, queue.DrainTimeout = 2, 50*time.Millisecond
	create(t, store, "long", 2)
	stop, stopped := start(t, queue)
	for range 2 {
		receive(t, working, "the work")
	}
	stop()
	receive(t, stopped, "the queue to stop")
	for id := int64(1); id <= 2; id++ {
		run := read(t, store, id)
		if run.Status != app.Created || run.Version != 3 || run.Attempt != 0 || run.Crashes != 0 ||
			run.Error != "" {
			t.Errorf("the row is %+v", run)
		}
		if cause := receive(t, causes, "the cause"); !errors.Is(cause, jobs.ErrShutdown) {
			t.Errorf("the cause was %v", cause)
		}
	}
}

func TestQueue_StoppedBeforeItStarts(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	id := create(t, store, "quick", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	newQueue(store, jobs.Kind{Name: "quick", Work: nothing}).Run(ctx, t.Context())
	if run := read(t, store, id); run.Version != 1 {
		t.Errorf("the row has become %+v", run)
	}
}

// stubborn is work that ignores its context and returns only when the test ends.
type stubborn struct{ working, gate, returned chan struct{} }

func newStubborn(t *testing.T) *stubborn {
	t.Helper()
	s := &stubborn{working: make(chan struct{}, 1), gate: make(chan struct{}), returned: make(chan struct{})}
	t.Cleanup(func() {
		close(s.gate)
		receive(t, s.returned, "stubborn work to return")
	})
	return s
}

func (s *stubborn) work(context.Context, *jobs.Run) error {
	defer close(s.returned)
	s.working <- struct{}{}
	<-s.gate
	return nil
}

// DrainTimeout is an hour of the bubble's fake time, longer than the test waits.
func TestDrain_IgnoresWorkOfFinishedRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, work := openStore(t), newStubborn(t)
		queue := newQueue(store, jobs.Kind{Name: "deaf", Work: work.work})
		queue.Executor.RunTimeout, queue.DrainTimeout = time.Second, time.Hour
		stop, stopped := start(t, queue)
		waitForStatus(t, store, create(t, store, "deaf", 1), app.Failed)
		stop()
		receive(t, stopped, "the queue to stop")
	})
}

func TestHardStop_RequeuesWithoutWaiting(t *testing.T) {
	t.Parallel()
	for name, draining := range map[string]bool{"when it drains": true,
		"when no shutdown was requested": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, work := openStore(t), newStubborn(t)
				queue := newQueue(store, jobs.Kind{Name: "deaf", Work: work.work})
				queue.DrainTimeout = time.Hour
				ctx, stop := context.WithCancel(context.Background())
				hardStop, stopHard := context.WithCancel(context.Background())
				defer stop()
				id := create(t, store, "deaf", 1)
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					queue.Run(ctx, hardStop)
				}()
				receive(t, work.working, "the work")
				if draining {
					stop()
				}
				synctest.Wait()
				began := time.Now()
				stopHard()
				receive(t, stopped, "the queue to stop")
				if waited := time.Since(began); waited != 0 {
					t.Errorf("it has waited for %s", waited)
				}
				if run := read(t, store, id); run.Status != app.Created || run.Attempt != 0 ||
					run.Crashes != 0 {
					t.Errorf("the row is %+v", run)
				}
			})
		})
	}
}

// The subtests run in parallel, because each takes the grace of some seconds.
func TestExecutor_WorkIgnoresItsContext(t *testing.T) {
	t.Parallel()
	t.Run("is requeued when the queue stops", func(t *testing.T) {
		t.Parallel()
		store, work := openStore(t), newStubborn(t)
		queue := newQueue(store, jobs.Kind{Name: "deaf", Work: work.work})
		queue.DrainTimeout = 0
		id := create(t, store, "deaf", 1)
		stop, stopped := start(t, queue)
		receive(t, work.working, "the work")
		stop()
		receive(t, stopped, "the queue to stop")
		if run := read(t, store, id); run.Status != app.Created || run.Attempt != 0 {
			t.Errorf("the row is %+v", run)
		}
	})
	t.Run("fails when it takes too long, and keeps its slot", func(t *testing.T) {
		t.Parallel()
		store, deaf, next := openStore(t), newStubborn(t), newGated()
		var busy gauge
		queue := newQueue(store, jobs.Kind{Name: "deaf", Work: deaf.work},
			jobs.Kind{Name: "next", Work: func(ctx context.Context, run *jobs.Run) error {
				busy.up()
				defer busy.down()
				next.working <- run
				<-next.gate // these ignore their contexts, too, but only for a moment
				return nil
			}})
		queue.Workers, queue.Executor.RunTimeout, queue.DrainTimeout = 2, 3*time.Second, 0
		start(t, queue)
		run := waitForStatus(t, store, create(t, store, "deaf", 1), app.Failed)
		if run.Error != "timed out after 3 s (limit)" {
			t.Errorf("the error is %q", run.Error)
		}
		for range 50 { // enough time and notifications to start two runs, if there were a free worker
			create(t, store, "next", 1)
		}
		close(next.gate)
		waitForCount(t, store, 50, app.Completed)
		if n := busy.highest(); n != 1 {
			t.Errorf("%d others were in work at once, with one slot left", n)
		}
	})
}

// DrainTimeout is an hour of the bubble's fake time: only the cancel can end the drain sooner.
func TestQueue_CancelsDuringTheDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, work := openStore(t), newGated()
		queue := newQueue(store, work.kind("long"))
		queue.Executor.RunTimeout, queue.DrainTimeout = 2*time.Hour, time.Hour
		id := create(t, store, "long", 1)
		stop, stopped := start(t, queue)
		receive(t, work.working, "the work")
		stop()
		synctest.Wait() // the dispatcher has ended
		began := time.Now()
		if run := cancelRun(t, store, id); !run.CancelRequested() {
			t.Errorf("the accepted cancel returns %+v", run)
		}
		receive(t, stopped, "the queue to stop")
		if waited := time.Since(began); waited > 2*time.Second {
			t.Errorf("the work heard of the cancel after %s of the drain", waited)
		}
		if run := read(t, store, id); run.Status != app.Cancelled {
			t.Errorf("in the end it is %+v", run)
		}
	})
}

// After the drain, the queue interrupts the work and grants it a few seconds to return. A cancel in that
// time must not be lost.
func TestQueue_CancelsAfterTheDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, interrupted := openStore(t), make(chan struct{})
		queue := newQueue(store, jobs.Kind{Name: "slow", Work: func(ctx context.Context, _ *jobs.Run) error {
			<-ctx.Done()
			close(interrupted)
			time.Sleep(2 * time.Second)
			return context.Cause(ctx)
		}})
		queue.DrainTimeout = 0
		id := create(t, store, "slow", 1)
		stop, stopped := start(t, queue)
		waitForStatus(t, store, id, app.Started)
		stop()
		receive(t, interrupted, "the work to be interrupted")
		cancelRun(t, store, id)
		receive(t, stopped, "the queue to stop")
		if run := read(t, store, id); run.Status != app.Cancelled {
			t.Errorf("in the end it is %+v", run)
		}
	})
}
