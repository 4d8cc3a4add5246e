package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"runboard/app"
)

// tick is how often the queue fetches without a notification: it finds runs that have become due, and makes
// good a lost notification.
const tick = time.Second

// Queue runs the due runs of the kinds of its executor, oldest first, and leaves all other kinds waiting.
// Quarantined runs, which the next crash would fail, have a lane of one worker, so that none of them fails
// because another one crashes the process. The fields must not change once Run is called.
type Queue struct {
	Store        app.QueueStore // also that of the executor
	Executor     *Executor      // of this queue alone
	Workers      int            // runs at a time, the quarantined one included
	MaxCrashes   int            // crashes that may interrupt a run
	DrainTimeout time.Duration  // how long work may go on after ctx of Run has ended
}

// Run works until ctx ends. Then it starts no more runs, lets running work go on for DrainTimeout, requeues
// the rest, and returns when no work goes on, except work whose run has ended or that ignores its context.
// When hardStop ends, Run interrupts all work, requeues its runs without waiting for it, and returns; the
// process must exit then, because the work may go on.
func (q *Queue) Run(ctx, hardStop context.Context) {
	lifecycle, end := StartLifecycle(ctx, hardStop, q.DrainTimeout)
	defer end()
	d := newDispatcher(q)
	completed := make(chan app.ProcessRun, q.Workers)
	watching, stopWatching := context.WithCancel(lifecycle.Work)
	var workers, helpers sync.WaitGroup
	helpers.Go(func() { q.Executor.WatchCancellations(watching) }) // until no work goes on
	helpers.Go(func() { q.saveCompleted(lifecycle.Work, completed, d) })
	helpers.Go(func() { q.followRegistry(lifecycle.Fetch) })
	for range q.Workers {
		workers.Go(func() { q.work(lifecycle, d, completed) })
	}
	d.dispatch(lifecycle.Fetch)
	close(d.runs)
	workers.Wait()
	stopWatching()
	close(completed)
	helpers.Wait()
}

// followRegistry applies the definitions of the kinds when they have changed, until ctx ends.
func (q *Queue) followRegistry(ctx context.Context) {
	replaced, unsubscribe := q.Executor.Registry.Changed().Subscribe()
	defer unsubscribe()
	for {
		if err := q.Store.ApplyDefinitions(ctx); err != nil && ctx.Err() == nil {
			level := app.RepeatedLevel(err)
			q.Executor.Log.Log(ctx, level, "changed kinds could not be applied", "error", err)
			_ = Sleep(ctx, tick)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-replaced:
		}
	}
}

// work is the loop of a worker: it executes one started run after the other.
func (q *Queue) work(lifecycle Lifecycle, d *dispatcher, completed chan<- app.ProcessRun) {
	for run := range d.runs {
		if q.Executor.attempt(lifecycle.Work, lifecycle, run) == attemptCompleted {
			completed <- run // saved together with others, while this worker gets its next run
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
		q.Executor.write(working, slog.Int("runs", len(batch)), "completed", func(ctx context.Context) error {
			stale, err := q.Store.CompleteMany(ctx, batch)
			for _, run := range stale {
				q.Executor.Log.Warn("a stale result is dropped", "run", run.ID, "result", app.Completed)
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
