package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"runboard/app"
)

// How long work may take to return after its context has ended: longer than a command has before it is killed. When
// the server stops there is less time for both.
const (
	StopGrace     = 8 * time.Second
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
	// ErrPaused: the run goes on later where it was, with the claim that it has. Only work that can do that is paused.
	ErrPaused = errors.New("the run goes on later")
)

// interrupted reports whether work is to end although nothing is wrong with it: it is done again, and there is little time.
func interrupted(cause error) bool {
	return errors.Is(cause, ErrShutdown) || errors.Is(cause, app.ErrLeaseLost)
}

// Worker is what every engine does with a run that it has got hold of: it lets it rest, does its work, and writes down
// what came of it. How it gets hold of runs and has them started is the engine's own business. It is for any number of
// runs at once. All fields but LogLimit are required; they must not change once it is used.
type Worker struct {
	Ledger      app.WorkStore
	Registry    *Registry
	MaxAttempts int           // attempts that may end in an error or time-out
	RunTimeout  time.Duration // longest time for one attempt
	LogLimit    int64         // how many bytes of a run's log the store keeps; the default is 1 MiB
	Log         *slog.Logger

	orders orders
}

// Phases are how an engine comes to its end: each context ends after the one before it, or with it.
type Phases struct {
	Taking  context.Context // until then runs are taken
	Working context.Context // until then work goes on, and what cannot be written down is tried again; it ends with ErrShutdown
	Patient context.Context // until then work that was interrupted has some time to return
}

// Heed reads which of the runs that rest or are worked on here are to stop, and has them stop. Like all else it reads the
// rows: a wish that is not heard the first time, because the run has only just been started, is heard the next time.
func (w *Worker) Heed(ctx context.Context) {
	if w.orders.working() {
		requests, err := w.Ledger.CancelRequests(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("runs to stop cannot be read", "error", err)
		}
		for _, request := range requests {
			w.orders.stop(request)
		}
	}
	if resting := w.orders.resting(); len(resting) > 0 { // their places are free for others
		runs, err := w.Ledger.Cancelled(ctx, resting)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("cancelled runs cannot be read", "error", err)
		}
		for _, run := range runs {
			w.orders.wake(run)
		}
	}
}

// Rest lets the time pass before a run counts as started. It returns at once, with the reason, when ctx ends or the run
// has been cancelled.
func (w *Worker) Rest(ctx context.Context, run app.ProcessRun) error {
	kind := w.Registry.kinds[run.Kind]
	if kind.DelayMax == 0 {
		return context.Cause(ctx)
	}
	ctx, wake := context.WithCancelCause(ctx)
	defer wake(nil)
	defer w.orders.rest(run, func() { wake(ErrCancelled) })()
	_ = sleep(ctx, between(kind.DelayMin, kind.DelayMax))
	return context.Cause(ctx) // also when that came with the last moment of the rest
}

// Do goes on with a run that is started, as it is written down, until its work has returned or is given up, and writes
// down how it ended, unless somebody else owns the run by now. ctx is for this run only. It descends from p.Working, and
// what else ends it is told by its cause: ErrCancelled, ErrTimeout, ErrPaused or app.ErrLeaseLost; wishes in the database are heard by
// Heed. Do reports whether the work has returned because it was paused: then nothing is written down, the run
// is still started, and whoever goes on with it passes the run as it then is.
//
// When work does not heed its context, Do returns only when it does, or when p.Taking ends: nobody else is to have its place.
func (w *Worker) Do(ctx context.Context, p Phases, run app.ProcessRun) (paused bool) {
	switch w.attempt(ctx, p, run) {
	case completed:
		w.finish(p.Working, run, app.Outcome{Status: app.Completed})
	case pausing:
		return true
	}
	return false
}

// ending is what is left to do after an attempt.
type ending int

const (
	concluded ending = iota // nothing: how it ended is written down
	completed               // the run has completed, which is still to be written down
	pausing                 // the work goes on later
)

func (w *Worker) timedOut() error { return errors.New("timed out after " + w.RunTimeout.String()) }

// attempt does the work once. It writes down what came of it, unless it says that something is left to do.
func (w *Worker) attempt(ctx context.Context, p Phases, run app.ProcessRun) ending {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer w.orders.expect(run, func() { cancel(ErrCancelled) })()
	timed, stop := context.WithTimeoutCause(ctx, w.RunTimeout, ErrTimeout)
	defer stop()

	kind := w.Registry.kinds[run.Kind]
	handle := newAttempt(run, w.MaxAttempts, w.LogLimit, func(news app.ProgressUpdate) { w.note(p.Working, run, news) })
	handle.log = w.Log.With("run", run.ID, "kind", run.Kind)
	result := w.launch(run, func() error { return kind.Work(timed, handle) })
	err, heeded := await(timed, p.Patient, result)
	if cause := context.Cause(timed); !heeded && (errors.Is(cause, ErrCancelled) || errors.Is(cause, ErrPaused)) {
		// The run is cancelled, or can be gone on with, when its work has returned: until then the page says that it
		// has not. But no other waits for it to be alone longer than for one that takes too long: no crash can fail it any more.
		defer time.AfterFunc(w.RunTimeout, func() { w.orders.giveUp(run.ID) }).Stop()
		err, heeded = awaitStubborn(p.Working, result)
	}
	cause := context.Cause(timed) // as of now: what follows may take until the database is back
	if ended, ok := errors.AsType[inTime](err); ok {
		err = ended.error
		if errors.Is(cause, ErrTimeout) {
			cause = nil
		}
	}
	if cause == nil && errors.Is(err, app.ErrLeaseLost) {
		cause = err // the supervisor of a command was the first to notice
	}
	handle.Close() // what was reported belongs before the end
	switch {
	case err == nil && !errors.Is(cause, ErrTimeout): // one that took too long has failed, whatever it returns
		return completed
	case heeded && errors.Is(cause, ErrPaused):
		return pausing
	}
	w.conclude(p.Working, cause, run, err)
	if !heeded && p.Patient.Err() == nil {
		w.keepPlace(p.Taking, run, result)
	}
	return concluded
}

// keepPlace keeps the place of work that does not heed its context until it returns: it still uses what it uses. It
// does so only while others are taken: the run has ended.
func (w *Worker) keepPlace(taking context.Context, run app.ProcessRun, result <-chan error) {
	w.orders.giveUp(run.ID)
	w.Log.Error("work does not heed its context", "run", run.ID, "kind", run.Kind)
	select {
	case <-result:
	case <-taking.Done():
	}
}

// note writes down what work reports.
func (w *Worker) note(working context.Context, run app.ProcessRun, news app.ProgressUpdate) {
	news.ID = rand.Int64()
	w.write(working, "run", run.ID, "report", func(ctx context.Context) error { return w.Ledger.SaveProgress(ctx, run, news) })
}

// launch does work on a goroutine of its own, so that nobody has to wait for work that never returns.
// The result is there as soon as it has ended in whatever way.
func (w *Worker) launch(run app.ProcessRun, work func() error) (result chan error) {
	result = make(chan error, 1)
	go func() {
		err := errors.New("the work ended without a result") // by runtime.Goexit
		defer func() { result <- err }()
		err = w.protect(run, work)
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
	patience := StopGrace
	if interrupted(context.Cause(ctx)) {
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
func (w *Worker) conclude(working context.Context, cause error, run app.ProcessRun, err error) {
	switch {
	case interrupted(cause), errors.Is(cause, ErrPaused): // the latter did not return before the former
		w.write(working, "run", run.ID, "interrupted", func(ctx context.Context) error { return w.Ledger.Requeue(ctx, run) })
	case errors.Is(cause, ErrCancelled):
		w.finish(working, run, app.Outcome{Status: app.Cancelled, Error: whyStopped(err)})
	case errors.Is(cause, ErrTimeout):
		timedOut := w.timedOut()
		if left, ok := errors.AsType[stillRunning](err); ok {
			timedOut = fmt.Errorf("%w; %w", timedOut, left)
		}
		w.finish(working, run, w.verdict(run, timedOut))
	default:
		w.finish(working, run, w.verdict(run, err))
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

func (w *Worker) finish(working context.Context, run app.ProcessRun, outcome app.Outcome) {
	w.write(working, "run", run.ID, outcome.Status.String(), func(ctx context.Context) error {
		return w.Ledger.Finish(ctx, run, outcome)
	})
}

// write has a change written down, and tries again while the database cannot be written: the result
// of work is not lost because a disk is full for a while. It gives up only when the server stops;
// then the run is found started at the next start, and done again. whose and which say of what it is, for the log.
func (w *Worker) write(working context.Context, whose string, which any, what string, change func(context.Context) error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := change(context.WithoutCancel(working)) // without a deadline, for the reason that startAll has none
		switch {
		case err == nil:
			return
		case app.CodeOf(err) == app.CodeConflict: // somebody else owns the run by now
			w.Log.Warn("a late result is dropped", whose, which, "result", what)
			return
		}
		w.Log.Error("a result cannot be written", whose, which, "result", what, "error", err)
		if sleep(working, pause) != nil {
			return
		}
	}
}

// protect does work, and makes an error of a panic.
func (w *Worker) protect(run app.ProcessRun, work func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			w.Log.Error("work panicked", "run", run.ID, "kind", run.Kind, "panic", panicked, "stack", string(debug.Stack()))
			err = errors.New("the work panicked; the server's log says where")
		}
	}()
	return work()
}
