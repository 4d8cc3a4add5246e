package jobs

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"runboard/app"
)

const (
	// tick is how often the queue looks for waiting runs without being told: it finds those that
	// are due for another attempt, and would make good a lost bell.
	tick = time.Second
	// stopGrace is how long work may take to return after its context has ended: longer than a command has
	// before it is killed. When the server stops there is less time for both.
	stopGrace     = 8 * time.Second
	lastStopGrace = 4 * time.Second
)

// Why the context of work ended, see context.Cause.
var (
	// ErrTimeout: the run took longer than it may.
	ErrTimeout = errors.New("the run took too long")
	// ErrShutdown: the server stops; the run is given back and done again later.
	ErrShutdown = errors.New("the server is shutting down")
	// ErrCancelled: a person asked the run to stop.
	ErrCancelled = errors.New("the run was cancelled")
)

// Queue works on what is in the backlog of the kinds in its registry, and leaves the others waiting: there may be
// another queue for them, or a server that knows them. All fields but Log are required; they must not change
// once Run is called.
type Queue struct {
	Backlog      app.Backlog
	Registry     *Registry
	Workers      int           // runs worked on at once
	MaxAttempts  int           // attempts that may end in an error or time-out
	MaxCrashes   int           // crashes that may interrupt a run
	RunTimeout   time.Duration // longest time for one attempt
	DrainTimeout time.Duration // how long work may go on when Run is asked to stop
	Log          *slog.Logger
}

// phases are how a queue comes to its end: each context ends after the one before it, or with it.
type phases struct {
	taking  context.Context // until then runs are taken
	working context.Context // until then work goes on
	patient context.Context // until then work that was interrupted has some time to return
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
	d, p := newDispatcher(q), phases{taking: taking, working: working, patient: now}
	var workers, results sync.WaitGroup
	completed := make(chan app.ProcessRun, q.Workers)
	results.Go(func() { q.completeAll(working, completed, d) })
	for range q.Workers {
		workers.Go(func() {
			for run := range d.runs {
				if ended, ok := q.handle(p, d.orders, run); ok {
					completed <- ended // and nobody waits for it to be written down but whoever wants to look for the run
					d.tell(news{free: 1})
				} else {
					d.tell(news{free: 1, written: []int64{run.ID}})
				}
			}
		})
	}
	d.dispatch(taking)
	d.starter.Wait()
	close(d.runs)
	drained := time.AfterFunc(q.DrainTimeout, func() { interrupt(ErrShutdown) })
	defer drained.Stop()
	workers.Wait()
	close(completed)
	results.Wait()
}

// completeAll writes down which runs are completed, as many at once as there are: that costs little more than one.
func (q *Queue) completeAll(working context.Context, completed <-chan app.ProcessRun, d *dispatcher) {
	for first := range completed {
		batch := []app.ProcessRun{first}
		for len(completed) > 0 { // nobody else takes from it
			batch = append(batch, <-completed)
		}
		q.write(working, "runs", len(batch), app.Completed.String(), func(ctx context.Context) error {
			late, err := q.Backlog.CompleteAll(ctx, batch)
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
func (q *Queue) handle(p phases, orders *orders, run app.ProcessRun) (started app.ProcessRun, completed bool) {
	defer func() {
		if panicked := recover(); panicked != nil { // of the queue itself: work has a recover of its own
			q.Log.Error("the queue panicked", "run", run.ID, "panic", panicked, "stack", string(debug.Stack()))
			completed = false
		}
	}()
	kind := q.Registry.kinds[run.Kind]
	if run.Status == app.Started {
		return run, q.attempt(p, orders, kind, run)
	}
	if q.rest(p.taking, orders, kind, run) != nil {
		return run, false // not started, so nothing needs to be undone
	}
	all, err := q.startAll([]app.ProcessRun{run})
	switch {
	case err != nil:
		q.Log.Warn("a run could not be started", "run", run.ID, "error", err)
		_ = sleep(p.taking, tick) // it is taken up again: not at once, it might spin
	case len(all) == 0:
		q.Log.Info("a run is not started: it has been cancelled", "run", run.ID)
	default:
		return all[0], q.attempt(p, orders, kind, all[0])
	}
	return run, false
}

// rest lets the time pass before the run counts as started. It returns at once, with the reason, when the queue
// is to stop or the run has been cancelled.
func (q *Queue) rest(taking context.Context, orders *orders, kind Kind, run app.ProcessRun) error {
	if kind.DelayMax == 0 {
		return context.Cause(taking)
	}
	ctx, wake := context.WithCancelCause(taking)
	defer wake(nil)
	defer orders.rest(run.ID, func() { wake(ErrCancelled) })()
	_ = sleep(ctx, between(kind.DelayMin, kind.DelayMax))
	return context.Cause(ctx) // also when that came with the last moment of the rest
}

func (q *Queue) timedOut() error { return errors.New("timed out after " + q.RunTimeout.String()) }

// startAll writes down that the work on runs begins, and returns those that it may begin on. It comes before the work,
// so that a run that kills the process is found started, and cannot do so for ever.
func (q *Queue) startAll(runs []app.ProcessRun) ([]app.ProcessRun, error) {
	// Without a deadline: a start that is given up may be committed all the same, and then nobody would
	// do the run. The store answers as soon as it knows.
	return q.Backlog.StartAll(context.Background(), runs)
}

// attempt does the work once. It writes down what came of it, unless it reports that the run has completed.
func (q *Queue) attempt(p phases, orders *orders, kind Kind, run app.ProcessRun) (completed bool) {
	ctx, cancel := context.WithCancelCause(p.working)
	defer cancel(nil)
	defer orders.expect(run.ID, func() { cancel(ErrCancelled) })()
	timed, stop := context.WithTimeoutCause(ctx, q.RunTimeout, ErrTimeout)
	defer stop()

	report := newReportOf(run, q.MaxAttempts, func(news app.Report) { q.note(p.working, run, news) })
	result := q.launch(run, func() error { return kind.Work(timed, run, report) })
	err, heeded := await(timed, p.patient, result)
	if !heeded && errors.Is(context.Cause(timed), ErrCancelled) {
		// The run is cancelled when its work has returned: until then the page says that it has not. But no
		// other waits for it to be alone longer than for one that takes too long: no crash can fail it any more.
		defer time.AfterFunc(q.RunTimeout, func() { orders.giveUp(run.ID) }).Stop()
		err, heeded = awaitStubborn(p.working, result)
	}
	report.end() // what was reported belongs before the end
	cause := context.Cause(timed)
	if err == nil && !errors.Is(cause, ErrTimeout) { // one that took too long has failed, whatever it returns
		return true
	}
	q.conclude(p.working, cause, run, err)
	if heeded || p.patient.Err() != nil {
		return false
	}
	orders.giveUp(run.ID)
	q.Log.Error("work does not heed its context", "run", run.ID, "kind", run.Kind)
	select { // the place stays taken: the work still uses what it uses
	case <-result:
	case <-p.taking.Done(): // nobody is to have the place, and the run has ended
	}
	return false
}

// note writes down what work reports.
func (q *Queue) note(working context.Context, run app.ProcessRun, news app.Report) {
	q.write(working, "run", run.ID, "report", func(ctx context.Context) error { return q.Backlog.Report(ctx, run, news) })
}

// launch does work on a goroutine of its own, so that nobody has to wait for work that never returns.
// The result is there as soon as it has ended in whatever way.
func (q *Queue) launch(run app.ProcessRun, work func() error) (result chan error) {
	result = make(chan error, 1)
	go func() {
		err := errors.New("the work ended without a result") // by runtime.Goexit
		defer func() { result <- err }()
		err = q.protect(run, work)
	}()
	return result
}

// await returns what work came to. Once its context has ended, the work has some time to return, while patient
// goes on; then it is given up, and heeded is false.
func await(ctx, patient context.Context, result <-chan error) (err error, heeded bool) {
	select {
	case err := <-result:
		return err, true
	case <-ctx.Done():
	}
	patience := stopGrace
	if errors.Is(context.Cause(ctx), ErrShutdown) {
		patience = lastStopGrace
	}
	grace := time.NewTimer(patience)
	defer grace.Stop()
	select {
	case err := <-result:
		return err, true
	case <-grace.C:
	case <-patient.Done():
	}
	return context.Cause(ctx), false
}

// awaitStubborn returns what work came to that does not stop although it was cancelled, however long that
// takes, or gives it up when the server stops.
func awaitStubborn(working context.Context, result <-chan error) (err error, heeded bool) {
	select {
	case err := <-result:
		return err, true
	case <-working.Done():
		return context.Cause(working), false
	}
}

// conclude decides what the end of an attempt means that did not complete the run. cause is why its context had ended by
// then, nil when it had not; err is what the work returned.
func (q *Queue) conclude(working context.Context, cause error, run app.ProcessRun, err error) {
	switch {
	case errors.Is(cause, ErrShutdown):
		q.write(working, "run", run.ID, "interrupted", func(ctx context.Context) error { return q.Backlog.GiveBack(ctx, run) })
	case errors.Is(cause, ErrCancelled):
		q.finish(working, run, app.Outcome{Status: app.Cancelled, Error: whyStopped(err)})
	case errors.Is(cause, ErrTimeout):
		q.finish(working, run, q.verdict(run, q.timedOut()))
	default:
		q.finish(working, run, q.verdict(run, err))
	}
}

// whyStopped is what a person is told whose run has stopped: nothing, unless the work says more than
// that it has.
func whyStopped(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrCancelled) {
		return ""
	}
	return err.Error()
}

func (q *Queue) finish(working context.Context, run app.ProcessRun, outcome app.Outcome) {
	q.write(working, "run", run.ID, outcome.Status.String(), func(ctx context.Context) error {
		return q.Backlog.Finish(ctx, run, outcome)
	})
}

// write has a change written down, and tries again while the database cannot be written: the result
// of work is not lost because a disk is full for a while. It gives up only when the server stops;
// then the run is found started at the next start, and done again. whose and which say of what it is, for the log.
func (q *Queue) write(working context.Context, whose string, which any, what string, change func(context.Context) error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := change(context.WithoutCancel(working)) // without a deadline, for the reason that startAll has none
		switch {
		case err == nil:
			return
		case app.CodeOf(err) == app.CodeConflict: // somebody else owns the run by now
			q.Log.Warn("a late result is dropped", whose, which, "result", what)
			return
		}
		q.Log.Error("a result cannot be written", whose, which, "result", what, "error", err)
		if sleep(working, pause) != nil {
			return
		}
	}
}

// protect does work, and makes an error of a panic.
func (q *Queue) protect(run app.ProcessRun, work func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			q.Log.Error("work panicked", "run", run.ID, "kind", run.Kind, "panic", panicked, "stack", string(debug.Stack()))
			err = errors.New("the work panicked; the server's log says where")
		}
	}()
	return work()
}
