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

// How long work may take to return after its context has ended: longer than a command has before it is
// killed. When the server stops, there is less time for both.
const (
	CancelGrace         = 8 * time.Second
	shutdownCancelGrace = 4 * time.Second
)

// minCancelInterval is the shortest time between two reads of cancel requests. Every change notifies, many
// nodes read them, and users do not notice the delay.
const minCancelInterval = 200 * time.Millisecond

// Causes of the end of a work function's context, see context.Cause.
var (
	// ErrTimeout: the attempt took longer than it may.
	ErrTimeout = errors.New("the run took too long")
	// ErrShutdown: the server stops. The run is requeued.
	ErrShutdown = errors.New("the server is shutting down")
	// ErrCancelled: cancellation of the run was requested.
	ErrCancelled = errors.New("the run was cancelled")
	// ErrSnoozed: the work continues later, with the same fencing token. Only bulk runs are snoozed.
	ErrSnoozed = errors.New("the run was snoozed")
)

// interrupted reports whether work ends although nothing is wrong with it. It is done again, and there is
// little time.
func interrupted(cause error) bool {
	return errors.Is(cause, ErrShutdown) || errors.Is(cause, app.ErrLeaseLost)
}

// Executor executes attempts of runs and saves their results. The queue and the engine of several nodes share it; how
// they fetch and start runs is their own business. It may execute any number of runs at once. All fields
// but LogLimit are required, and must not change once it is used.
type Executor struct {
	Store       app.WorkStore
	Registry    *Registry
	MaxAttempts int           // attempts that may end in an error or time-out, of kinds that do not set it
	RunTimeout  time.Duration // of one attempt, of kinds that do not set it
	LogLimit    int64         // bytes that the store keeps of a log; the default is 1 MiB
	Log         *slog.Logger

	cancels cancelRegistry
}

// WatchCancellations cancels runs of this executor on request, until ctx ends. Engines call it before the
// first run and until no work goes on: a cancel that the store has accepted must reach its run.
func (e *Executor) WatchCancellations(ctx context.Context) {
	notifications, unsubscribe := e.Store.Changed().Subscribe()
	defer unsubscribe()
	for {
		var due <-chan time.Time
		if e.cancels.active() { // an idle process does not wake up
			due = time.After(tick)
		}
		select {
		case <-ctx.Done():
			return
		case <-notifications:
		case <-e.cancels.activated():
		case <-due:
		}
		if e.cancels.active() {
			e.checkCancellations(ctx)
			_ = Sleep(ctx, minCancelInterval)
		}
	}
}

// checkCancellations reads which runs of this process are to be cancelled, and cancels them. It reads the
// rows each time, so a request that comes too early for a run that has only just started is seen the next
// time.
func (e *Executor) checkCancellations(ctx context.Context) {
	requests, err := e.Store.CancelRequests(ctx)
	if err != nil && ctx.Err() == nil {
		e.Log.Log(ctx, app.RepeatedLevel(err), "cancel requests cannot be read", "error", err)
	}
	for _, request := range requests {
		e.cancels.cancel(request)
	}
}

// Execute executes an attempt of a started run and saves the result, unless another worker owns the run by
// then. ctx is for this run, a child of lifecycle.Work; its cause says why it ends: ErrCancelled,
// ErrTimeout, ErrSnoozed or app.ErrLeaseLost. Cancel requests in the database are seen by
// WatchCancellations.
//
// Execute reports whether the work has returned because it was snoozed. Then nothing is saved and the run
// is still started; the caller that continues it passes the current row. If work ignores its context,
// Execute returns only when the work returns or lifecycle.Fetch ends, because it still uses its slot.
func (e *Executor) Execute(ctx context.Context, lifecycle Lifecycle, run app.ProcessRun) (isSnoozed bool) {
	switch e.attempt(ctx, lifecycle, run) {
	case attemptCompleted:
		e.finish(lifecycle.Work, run, app.Outcome{Status: app.Completed})
	case attemptSnoozed:
		return true
	}
	return false
}

// attemptResult is what is left to do after an attempt.
type attemptResult int

const (
	attemptSaved     attemptResult = iota // the result is saved
	attemptCompleted                      // the run has completed, which is still to be saved
	attemptSnoozed                        // the work continues later
)

// attempt does the work once. It saves the result, unless the attemptResult says otherwise.
func (e *Executor) attempt(ctx context.Context, lifecycle Lifecycle, run app.ProcessRun) attemptResult {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer e.cancels.register(run, func() { cancel(ErrCancelled) })()
	kind, offered := e.Registry.find(run.Kind)
	if !offered { // the kinds were replaced after it was fetched
		e.write(lifecycle.Work, ofRun(run), "interrupted", func(ctx context.Context) error {
			return e.Store.Requeue(ctx, run)
		})
		return attemptSaved
	}
	save := func(update app.ProgressUpdate) { e.saveProgress(lifecycle.Work, run, update) }
	handle := newAttempt(run, e.policyOf(kind), e.LogLimit, save)
	handle.log = e.Log.With("run", run.ID, "kind", run.Kind)
	timed, stop := context.WithTimeoutCause(ctx, handle.policy.Timeout, ErrTimeout)
	defer stop()
	result := e.runAsync(handle, func() error {
		if err := e.loadInputs(timed, kind, handle); err != nil {
			return err
		}
		return kind.Work(timed, handle)
	})
	end := await(timed, lifecycle, result)
	handle.Close() // before the result is saved, so that the log is complete when the run has finished
	switch {
	case end.completed():
		return attemptCompleted
	case end.returned && errors.Is(end.cause, ErrSnoozed):
		return attemptSnoozed
	}
	e.settle(lifecycle.Work, handle, end)
	if !end.returned && lifecycle.Grace.Err() == nil {
		e.holdSlot(lifecycle.Fetch, run, result)
	}
	return attemptSaved
}

// policyOf returns the limits of an attempt of the kind.
func (e *Executor) policyOf(kind Kind) app.Policy {
	return kind.Info.WithDefaults(e.RunTimeout, e.MaxAttempts)
}

// Timeout returns how long an attempt of the kind may take, by its definition of now.
func (e *Executor) Timeout(kind string) time.Duration {
	found, _ := e.Registry.find(kind) // if it is not offered, its attempts do not start
	return e.policyOf(found).Timeout
}

// holdSlot waits for work that ignores its context, because it still uses its slot. It waits only while
// other runs are fetched.
func (e *Executor) holdSlot(fetching context.Context, run app.ProcessRun, result <-chan error) {
	e.Log.Error("the work has not returned although its context has ended", "run", run.ID, "kind", run.Kind)
	select {
	case <-result:
	case <-fetching.Done():
	}
}

// runAsync does the work of run on a goroutine of its own, so that the caller need not wait for work that
// never returns. The channel gets one value when the work has ended in whatever way.
func (e *Executor) runAsync(run *Run, work func() error) <-chan error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("the work ended without a result") // by runtime.Goexit
		defer func() {
			if panicked := recover(); panicked != nil {
				reason := run.masker.text(fmt.Sprint(panicked))
				run.log.Error("work panicked", "panic", reason, "stack", string(debug.Stack()))
				err = errors.New("the work panicked; the server's log says where")
			}
			result <- err
		}()
		err = work()
		inspect(err)
	}()
	return result
}

// inspect calls the methods of an error that the executor calls later. With a nil pointer as an error, they
// may panic, which would end the process there and fails the run here.
func inspect(err error) {
	if early, ok := err.(inTime); ok {
		err = early.error
	}
	if err != nil {
		_ = err.Error()
		_ = errors.Is(err, ErrCancelled)
		_, _ = errors.AsType[retryError](err)
	}
}

// settle saves the result of an attempt that did not complete the run.
func (e *Executor) settle(working context.Context, handle *Run, end ending) {
	run := handle.row
	switch {
	case interrupted(end.cause), errors.Is(end.cause, ErrSnoozed): // shut down before snoozed work returned
		e.write(working, ofRun(run), "interrupted", func(ctx context.Context) error {
			return e.Store.Requeue(ctx, run)
		})
	case errors.Is(end.cause, ErrCancelled):
		reason := handle.shown(cancelReason(end.err))
		e.finish(working, run, app.Outcome{Status: app.Cancelled, Error: reason})
	case errors.Is(end.cause, ErrTimeout):
		timedOut := fmt.Errorf("timed out after %s (limit)", inWords(handle.policy.Timeout))
		if left, ok := errors.AsType[stillRunning](end.err); ok {
			timedOut = fmt.Errorf("%w; %w", timedOut, left)
		}
		e.finish(working, run, handle.outcome(timedOut))
	default:
		e.finish(working, run, handle.outcome(end.err))
	}
}

// cancelReason returns the error of a cancelled run: "" unless the work says more than that it was cancelled.
func cancelReason(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrCancelled) {
		return ""
	}
	return err.Error()
}

func (e *Executor) finish(working context.Context, run app.ProcessRun, outcome app.Outcome) {
	e.write(working, ofRun(run), outcome.Status.String(), func(ctx context.Context) error {
		return e.Store.Finish(ctx, run, outcome)
	})
}

func (e *Executor) saveProgress(working context.Context, run app.ProcessRun, update app.ProgressUpdate) {
	update.ID = rand.Int64()
	e.write(working, ofRun(run), "progress", func(ctx context.Context) error {
		return e.Store.SaveProgress(ctx, run, update)
	})
}

// ofRun returns the log attribute for a run.
func ofRun(run app.ProcessRun) slog.Attr { return slog.Int64("run", run.ID) }

// The pause after a failure of the database doubles from the minimum to the maximum.
const (
	minStorePause = 100 * time.Millisecond
	maxStorePause = 5 * time.Second
)

// write saves a change and repeats it while the database cannot be written, so that a full disk costs no
// result. It gives up only when the server stops; then the run is found started at the next start, and runs
// again. what and result describe the change in the log.
func (e *Executor) write(
	working context.Context, what slog.Attr, result string, change func(context.Context) error,
) {
	for pause := minStorePause; ; pause = min(2*pause, maxStorePause) {
		// Without a deadline: a write that is given up may be committed all the same.
		err := change(context.WithoutCancel(working))
		switch {
		case err == nil:
			return
		case app.CodeOf(err) == app.CodeConflict: // another worker owns the run by now
			e.Log.Warn("a stale result is dropped", what, "result", result)
			return
		}
		e.Log.Error("a result cannot be saved", what, "result", result, "error", err)
		if Sleep(working, pause) != nil {
			return
		}
	}
}
