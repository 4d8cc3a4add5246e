package river

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
	"runboard/jobs"
)

const (
	// minLostAfter is the shortest time after which River considers a worker lost.
	minLostAfter = time.Minute
	// snoozeAfter is how long a bulk run works before its job is snoozed, so that it never looks lost.
	snoozeAfter = minLostAfter / 3
	// slotTimeout is how long a job waits for a slot of this node before the node returns it to the queue.
	slotTimeout = 2 * time.Second
	// margin is added to the time that a worker may take, because clocks differ and saving a result takes
	// time.
	margin = 5 * time.Second
)

// jobHandler handles the jobs of one kind of run. River calls Work for each job that this node has fetched.
type jobHandler struct {
	river.WorkerDefaults[app.Job]
	node        *node
	executor    *jobs.Executor
	slots       chan struct{} // shared by the handlers of the node; nil: the jobs need no slot
	snoozeAfter time.Duration // how long to work on a run before its job is snoozed; 0: until the work ends
}

// Timeout implements river.Worker. River asks when it looks for lost workers, so it follows the kinds.
func (h *jobHandler) Timeout(*river.Job[app.Job]) time.Duration { return h.node.lostAfter() }

// Work implements river.Worker. It returns nil or snoozes the job, and never an error: the result
// is saved in the run.
//
// River counts deliveries, but not snoozes. So a started run whose job is delivered for the first time has
// no worker and continues here. If the job was delivered before, River considers the run's worker lost.
func (h *jobHandler) Work(delivered context.Context, job *river.Job[app.Job]) error {
	if started, found := h.node.started.find(job.ID); found {
		release, _ := h.node.hold(job.ID)
		defer release()
		defer h.node.returnSlots(1)
		if h.node.lifecycle.Fetch.Err() != nil || started.lease.Err() != nil { // since the fetch began
			return h.requeue(started.run)
		}
		return h.execute(delivered, started.lease, started.run)
	}
	return h.workOnJob(delivered, job)
}

// requeue requeues a started run whose work has not begun. If it cannot be saved, other nodes rescue the run.
func (h *jobHandler) requeue(run app.ProcessRun) error {
	err := h.node.Store.Requeue(context.Background(), run)
	if err != nil && app.CodeOf(err) != app.CodeConflict {
		h.node.log.Warn("a run that has not begun cannot be requeued", "run", run.ID, "error", err)
	}
	return nil
}

// workOnJob works on a job whose run the fetch has not started.
func (h *jobHandler) workOnJob(delivered context.Context, job *river.Job[app.Job]) error {
	lease, err := h.node.Store.Lease()
	if err != nil {
		return h.retryLater(job, "a run is not started without a lease", err)
	}
	release, alreadyHeld := h.node.hold(job.ID)
	defer release()
	if alreadyHeld { // River considers it lost, by clocks that may be wrong
		return nil
	}
	run, err := h.node.Store.RunForJob(h.node.lifecycle.Fetch, job.Args.Run, job.ID)
	switch code := app.CodeOf(err); {
	case code == app.CodeConflict, code == app.CodeNotFound: // the run has another job by now, or needs none
		return nil
	case err != nil:
		return h.retryLater(job, "the run of a job cannot be read", err)
	case run.Status == app.Started && job.Attempt > 1:
		return h.rescue(job, run)
	}
	if run.CancelRequested() { // the request came while the job was snoozed
		return h.cancel(job, run)
	}
	leave, entered := h.acquireSlot(delivered)
	if !entered {
		return snoozeInPlace(job)
	}
	defer leave()
	run, err = h.start(lease, job.ID, run)
	switch {
	case errors.Is(err, app.ErrHeld): // it has a new job for the time when it may start
		return nil
	case app.CodeOf(err) == app.CodeConflict:
		h.node.log.Info("a run is not started because it has been cancelled", "run", job.Args.Run)
		return nil
	case err != nil:
		return h.retryLater(job, "a run could not be started", err)
	}
	return h.execute(delivered, lease, run)
}

// acquireSlot waits up to slotTimeout for a slot. If it gets one, the caller must call release.
func (h *jobHandler) acquireSlot(delivered context.Context) (release func(), acquired bool) {
	if h.slots == nil {
		return func() {}, true
	}
	timeout := time.NewTimer(slotTimeout)
	defer timeout.Stop()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, true
	case <-timeout.C:
	case <-delivered.Done():
	case <-h.node.lifecycle.Fetch.Done():
	}
	return nil, false
}

// start commits the start of a run. If the run is started already, start commits that this node continues it.
func (h *jobHandler) start(lease context.Context, job int64, run app.ProcessRun) (app.ProcessRun, error) {
	if run.Status == app.Started {
		return run, h.node.Store.Adopt(context.Background(), run, job)
	}
	for _, ctx := range []context.Context{h.node.lifecycle.Fetch, lease} {
		if ctx.Err() != nil {
			return run, context.Cause(ctx)
		}
	}
	// There is no deadline: a start that this node gives up may be committed all the same. The store
	// returns as soon as it knows the outcome.
	return h.node.Store.StartJob(context.Background(), run, job)
}

// execute executes an attempt of a started run. It snoozes the job of a bulk run after snoozeAfter.
func (h *jobHandler) execute(delivered, lease context.Context, run app.ProcessRun) error {
	working, stop := mergeCancel(h.node.lifecycle.Work, lease, delivered)
	defer stop(nil)
	if h.snoozeAfter > 0 {
		snooze := func() { stop(jobs.ErrSnoozed) }
		defer time.AfterFunc(h.snoozeAfter, snooze).Stop()
		defer context.AfterFunc(h.node.lifecycle.Fetch, snooze)() // another node continues it
		deadline := run.StartedAt.Add(h.executor.RunTimeout)
		var cancel context.CancelFunc
		working, cancel = context.WithDeadlineCause(working, deadline, jobs.ErrTimeout)
		defer cancel()
	}
	if h.executor.Execute(jobs.WithLease(working, h.node.Store.LeaseLeft), h.node.lifecycle, run) {
		return river.JobSnooze(0) // behind the queued jobs, so that all bulk runs make progress
	}
	return nil
}

// rescue requeues a run whose worker River considers lost. If the run's node is alive, the run continues
// there without a job.
func (h *jobHandler) rescue(job *river.Job[app.Job], run app.ProcessRun) error {
	err := h.node.Store.Rescue(context.Background(), run)
	switch {
	case app.CodeOf(err) == app.CodeConflict:
		return nil
	case err != nil:
		return h.retryLater(job, "a run cannot be rescued", err)
	}
	h.node.log.Warn("a run has lost its worker", "run", run.ID, "kind", run.Kind)
	return nil // the run has another job if it needs one
}

// cancel cancels a run whose job was snoozed. No worker has such a run.
func (h *jobHandler) cancel(job *river.Job[app.Job], run app.ProcessRun) error {
	err := h.node.Store.Finish(context.Background(), run, app.Outcome{Status: app.Cancelled})
	if err != nil && app.CodeOf(err) != app.CodeConflict {
		return h.retryLater(job, "a run cannot be cancelled", err)
	}
	return nil
}

// retryLater logs a database error and returns the job to the queue. It pauses first, so that
// the node does not spin.
func (h *jobHandler) retryLater(job *river.Job[app.Job], message string, err error) error {
	if h.node.lifecycle.Fetch.Err() == nil {
		h.node.log.Warn(message, "run", job.Args.Run, "error", err)
		_ = jobs.Sleep(h.node.lifecycle.Fetch, tick)
	}
	return snoozeInPlace(job)
}

// snoozeInPlace returns the job to the queue without losing its position. river.JobSnooze cannot do that,
// because it rejects a time in the past.
func snoozeInPlace(job *river.Job[app.Job]) error {
	return &rivertype.JobSnoozeError{Duration: time.Until(job.ScheduledAt)}
}

// mergeCancel returns a context that ends with parent and with lease, with their causes. It also ends
// with jobs.ErrCancelled when River reports that the job was cancelled. The returned function cancels the
// context with the cause it is given, and releases its resources.
func mergeCancel(parent, lease, delivered context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	unhookLease := context.AfterFunc(lease, func() { cancel(context.Cause(lease)) })
	unhookJob := context.AfterFunc(delivered, func() {
		if errors.Is(context.Cause(delivered), rivertype.ErrJobCancelledRemotely) {
			cancel(jobs.ErrCancelled)
		}
	})
	return ctx, func(cause error) {
		unhookLease()
		unhookJob()
		cancel(cause)
	}
}
