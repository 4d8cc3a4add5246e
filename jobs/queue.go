package jobs

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"runboard/app"
)

// tick is how often the queue looks for waiting runs without being told: it finds those that
// are due for another attempt, and would make good a lost bell.
const tick = time.Second

// Queue works on what is in the backlog of the kinds in its registry, and leaves the others waiting: there may be
// another queue for them, or a server that knows them. All fields but Log are required; they must not change
// once Run is called.
type Queue struct {
	Backlog      app.QueueStore
	Registry     *Registry
	Workers      int           // runs worked on at once
	MaxAttempts  int           // attempts that may end in an error or time-out
	MaxCrashes   int           // crashes that may interrupt a run
	RunTimeout   time.Duration // longest time for one attempt
	DrainTimeout time.Duration // how long work may go on when Run is stopped
	LogLimit     int64         // how many bytes of a run's log the store keeps; the default is 1 MiB
	Log          *slog.Logger
}

// Run works until ctx ends. Then it takes no more runs, lets the present ones go on for the drain
// time, gives back those that are not done by then, and returns when nobody works any more but those
// whose run has ended, or whose work does not heed its context. As soon as now ends, it interrupts what still
// goes on, gives it back without waiting for it, and returns: the process must end then, because the work
// may go on.
func (q *Queue) Run(ctx, now context.Context) {
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	working, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(ErrShutdown)
	defer context.AfterFunc(now, func() {
		stopTaking()
		interrupt(ErrShutdown)
	})()
	d, p := newDispatcher(q), Phases{Taking: taking, Working: working, Patient: now}
	var workers, results sync.WaitGroup
	completed := make(chan app.ProcessRun, q.Workers)
	results.Go(func() { q.completeAll(working, completed, d) })
	for range q.Workers {
		workers.Go(func() {
			for run := range d.runs {
				if ended, ok := q.handle(p, d.worker, run); ok {
					completed <- ended // and nobody waits for it to be written down but whoever wants to look for the run
					d.tell(news{free: 1})
				} else {
					d.tell(news{free: 1, written: []int64{run.ID}, again: true})
				}
			}
		})
	}
	d.dispatch(taking)
	heeding, stopHeeding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHeeding()
	results.Go(func() { d.heedCancels(heeding) })
	d.starter.Wait()
	close(d.runs)
	drained := time.AfterFunc(q.DrainTimeout, func() { interrupt(ErrShutdown) })
	defer drained.Stop()
	workers.Wait()
	close(completed)
	stopHeeding()
	results.Wait()
}

// completeAll writes down which runs are completed, as many at once as there are: that costs little more than one.
func (q *Queue) completeAll(working context.Context, completed <-chan app.ProcessRun, d *dispatcher) {
	for first := range completed {
		batch := append(make([]app.ProcessRun, 0, len(completed)+1), first)
		for len(completed) > 0 { // nobody else takes from it
			batch = append(batch, <-completed)
		}
		d.worker.write(working, "runs", len(batch), app.Completed.String(), func(ctx context.Context) error {
			late, err := q.Backlog.CompleteMany(ctx, batch)
			for _, run := range late {
				q.Log.Warn("a late result is dropped", "run", run.ID, "result", app.Completed)
			}
			return err
		})
		ids := make([]int64, len(batch))
		for i, run := range batch {
			ids[i] = run.ID
		}
		d.tell(news{written: ids})
	}
}

// handle takes one run from waiting, or from its start, through its work. It reports whether the run as it was started has
// completed, which is still to be written down, as nothing else is.
func (q *Queue) handle(p Phases, worker *Worker, run app.ProcessRun) (started app.ProcessRun, done bool) {
	defer func() {
		if panicked := recover(); panicked != nil { // of the queue itself: work has a recover of its own
			q.Log.Error("the queue panicked", "run", run.ID, "panic", panicked, "stack", string(debug.Stack()))
			done = false
		}
	}()
	if run.Status == app.Started {
		return run, worker.attempt(p.Working, p, run) == completed
	}
	if worker.Rest(p.Taking, run) != nil {
		return run, false // not started, so nothing needs to be undone
	}
	all, err := q.startAll([]app.ProcessRun{run})
	switch {
	case err != nil:
		q.Log.Warn("a run could not be started", "run", run.ID, "error", err)
		_ = sleep(p.Taking, tick) // it is taken up again: not at once, it might spin
	case len(all) == 0:
		q.Log.Info("a run is not started: it has been cancelled", "run", run.ID)
	default:
		return all[0], worker.attempt(p.Working, p, all[0]) == completed
	}
	return run, false
}

// startAll writes down that the work on runs begins, and returns those that it may begin on. It comes before the work,
// so that a run that kills the process is found started, and cannot do so for ever.
func (q *Queue) startAll(runs []app.ProcessRun) ([]app.ProcessRun, error) {
	// Without a deadline: a start that is given up may be committed all the same, and then nobody would
	// do the run. The store answers as soon as it knows.
	return q.Backlog.StartMany(context.Background(), runs)
}
