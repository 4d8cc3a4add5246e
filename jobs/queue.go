package jobs

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"runboard/app"
)

// tick is how often the queue fetches without a notification: it finds runs that have become due, and makes good a lost
// notification.
const tick = time.Second

// Queue runs the due runs of the kinds in its registry, oldest first, and leaves all other kinds waiting. Log and LogLimit
// are optional. The fields must not change once Run is called.
type Queue struct {
	Store        app.QueueStore
	Registry     *Registry
	Workers      int           // runs at a time
	MaxAttempts  int           // attempts that may end in an error or time-out
	MaxCrashes   int           // crashes that may interrupt a run
	RunTimeout   time.Duration // of one attempt
	DrainTimeout time.Duration // how long work may go on after ctx of Run has ended
	LogLimit     int64         // bytes that the store keeps of a log; the default is 1 MiB
	Log          *slog.Logger
}

// Run works until ctx ends. Then it starts no more runs, lets running work go on for DrainTimeout, requeues the rest, and
// returns when no work goes on, except work whose run has ended or that ignores its context. When hardStop ends, Run
// interrupts all work, requeues its runs without waiting for it, and returns; the process must exit then, because the work
// may go on.
func (q *Queue) Run(ctx, hardStop context.Context) {
	fetching, stopFetching := context.WithCancel(ctx)
	defer stopFetching()
	working, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(ErrShutdown)
	defer context.AfterFunc(hardStop, func() {
		stopFetching()
		interrupt(ErrShutdown)
	})()
	d := newDispatcher(q)
	lifecycle := Lifecycle{Fetch: fetching, Work: working, Grace: hardStop}
	completed := make(chan app.ProcessRun, q.Workers)
	var workers, results sync.WaitGroup
	results.Go(func() { q.saveCompleted(working, completed, d) })
	for range q.Workers {
		workers.Go(func() { q.work(lifecycle, d, completed) })
	}
	d.dispatch(fetching)
	draining, stopDraining := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDraining()
	results.Go(func() { d.watchCancellations(draining) })
	d.starter.Wait()
	close(d.runs)
	timer := time.AfterFunc(q.DrainTimeout, func() { interrupt(ErrShutdown) })
	defer timer.Stop()
	workers.Wait()
	close(completed)
	stopDraining()
	results.Wait()
}

// work is the loop of a worker: it handles one assigned run after the other.
func (q *Queue) work(lifecycle Lifecycle, d *dispatcher, completed chan<- app.ProcessRun) {
	for run := range d.runs {
		started, isCompleted := q.handle(lifecycle, d.executor, run)
		if isCompleted {
			completed <- started // saved together with others, while this worker gets its next run
			d.send(workerEvent{idle: 1})
		} else {
			d.send(workerEvent{idle: 1, saved: []int64{run.ID}, refetch: true})
		}
	}
}

// saveCompleted saves completed runs, as many at once as there are, which costs little more than to save one.
func (q *Queue) saveCompleted(working context.Context, completed <-chan app.ProcessRun, d *dispatcher) {
	for first := range completed {
		batch := append(make([]app.ProcessRun, 0, len(completed)+1), first)
		for len(completed) > 0 { // there is no other receiver
			batch = append(batch, <-completed)
		}
		d.executor.write(working, "runs", len(batch), app.Completed.String(), func(ctx context.Context) error {
			stale, err := q.Store.CompleteMany(ctx, batch)
			for _, run := range stale {
				q.Log.Warn("a stale result is dropped", "run", run.ID, "result", app.Completed)
			}
			return err
		})
		ids := make([]int64, len(batch))
		for i, run := range batch {
			ids[i] = run.ID
		}
		d.send(workerEvent{saved: ids})
	}
}

// handle starts one run, unless that is done, and executes it. It reports whether the started run has completed, which the
// caller must save; everything else is saved.
func (q *Queue) handle(lifecycle Lifecycle, executor *Executor, run app.ProcessRun) (started app.ProcessRun, isCompleted bool) {
	defer func() {
		if panicked := recover(); panicked != nil { // in the queue: the executor recovers panics of work
			q.Log.Error("the queue panicked", "run", run.ID, "panic", panicked, "stack", string(debug.Stack()))
			isCompleted = false
		}
	}()
	if run.Status == app.Started {
		return run, executor.attempt(lifecycle.Work, lifecycle, run) == completed
	}
	all, err := q.startMany([]app.ProcessRun{run})
	switch {
	case err != nil:
		q.Log.Warn("a run could not be started", "run", run.ID, "error", err)
		_ = sleep(lifecycle.Fetch, tick) // it is fetched again, but without spinning
	case len(all) == 0:
		q.Log.Info("a run is not started because it has been cancelled", "run", run.ID)
	default:
		return all[0], executor.attempt(lifecycle.Work, lifecycle, all[0]) == completed
	}
	return run, false
}

// startMany commits the start of runs before their work begins, so that a run that kills the process is found started, and
// the crash counts against it. It returns the runs that are started.
func (q *Queue) startMany(runs []app.ProcessRun) ([]app.ProcessRun, error) {
	// Without a deadline: a start that is given up may be committed all the same, and then no worker would have the run. The
	// store answers as soon as it knows.
	return q.Store.StartMany(context.Background(), runs)
}
