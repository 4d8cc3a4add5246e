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
	// lostAtLeast is how long River waits at the least before it takes a worker for lost.
	lostAtLeast = time.Minute
	// pauseAfter is how long an action goes on before it has itself handed out again, so that it never looks lost.
	pauseAfter = lostAtLeast / 3
	// placeTime is how long a job may wait here for a place, before others get the chance to do it.
	placeTime = 2 * time.Second
	// margin is how much longer than it may a worker is waited for: clocks differ, and results take time to be written.
	margin = 5 * time.Second
)

// worker does the runs of one kind. River calls it for each job that is handed to this node.
type worker struct {
	river.WorkerDefaults[app.Job]
	node       *node
	jobs       *jobs.Executor
	places     chan<- struct{} // nil: it needs none
	pauseAfter time.Duration   // how long it goes on with a run before it has it handed out again; 0: until the end
}

// Work implements river.Worker. It returns nil when the job is over, or has it handed out again, and never fails: what
// becomes of the run is written down in the run.
//
// River counts how often a job is handed out, but not when it has been given back. So a run that is started is
// either the job's that is handed out for the first time, then nobody works on it and it is gone on with, or it had a
// worker that is lost, as River thinks.
func (w *worker) Work(delivered context.Context, job *river.Job[app.Job]) error {
	lease, err := w.node.Store.Lease()
	if err != nil {
		return w.later(job, "a run is not taken", err)
	}
	release, held := w.node.hold(job.ID)
	defer release()
	if held { // River goes by how long it takes, and by clocks that may be wrong
		return nil
	}
	run, err := w.node.Store.RunForJob(w.node.lifecycle.Fetch, job.Args.Run, job.ID)
	switch code := app.CodeOf(err); {
	case code == app.CodeConflict, code == app.CodeNotFound: // it has another one by now, or needs none
		return nil
	case err != nil:
		return w.later(job, "a job cannot be looked up", err)
	case run.Status == app.Started && job.Attempt > 1:
		return w.recover(job, run)
	}
	if run.CancelRequested() { // cancellation was requested while the run was snoozed
		return w.cancelled(job, run)
	}
	leave, entered := w.enter(delivered)
	if !entered {
		return inLine(job)
	}
	defer leave()
	run, err = w.begin(lease, job.ID, run)
	switch {
	case app.CodeOf(err) == app.CodeConflict:
		w.node.Log.Info("a run is not started: it has been cancelled", "run", job.Args.Run)
		return nil
	case err != nil:
		return w.later(job, "a run could not be started", err)
	}
	return w.do(delivered, lease, run)
}

// enter waits for a place, and returns how to leave it.
func (w *worker) enter(delivered context.Context) (leave func(), entered bool) {
	if w.places == nil {
		return func() {}, true
	}
	patience := time.NewTimer(placeTime)
	defer patience.Stop()
	select {
	case w.places <- struct{}{}:
		return func() { <-w.node.places }, true
	case <-patience.C:
	case <-delivered.Done():
	case <-w.node.lifecycle.Fetch.Done():
	}
	return nil, false
}

// begin commits the start of a run, or that this node continues it.
func (w *worker) begin(lease context.Context, job int64, run app.ProcessRun) (app.ProcessRun, error) {
	if run.Status == app.Started {
		return run, w.node.Store.Adopt(context.Background(), run, job)
	}
	for _, ctx := range []context.Context{w.node.lifecycle.Fetch, lease} {
		if ctx.Err() != nil {
			return run, context.Cause(ctx)
		}
	}
	// Without a deadline: a start that is given up may be committed all the same. The store answers as soon as it knows.
	return w.node.Store.StartJob(context.Background(), run, job)
}

// do goes on with a run that is started.
func (w *worker) do(delivered, lease context.Context, run app.ProcessRun) error {
	working, stop := during(w.node.lifecycle.Work, lease, delivered)
	defer stop(nil)
	if w.pauseAfter > 0 {
		pause := func() { stop(jobs.ErrSnoozed) }
		defer time.AfterFunc(w.pauseAfter, pause).Stop()
		defer context.AfterFunc(w.node.lifecycle.Fetch, pause)() // another node goes on with it
		var release context.CancelFunc
		working, release = context.WithDeadlineCause(working, run.StartedAt.Add(w.jobs.RunTimeout), jobs.ErrTimeout)
		defer release()
	}
	if w.jobs.Execute(jobs.WithLease(working, w.node.Store.LeaseLeft), w.node.lifecycle, run) {
		return river.JobSnooze(0) // behind those that wait: each has its turn
	}
	return nil
}

// recover deals with a run whose worker River takes for lost. If its node is alive, the run goes on there, without a job.
func (w *worker) recover(job *river.Job[app.Job], run app.ProcessRun) error {
	err := w.node.Store.Rescue(context.Background(), run)
	switch {
	case app.CodeOf(err) == app.CodeConflict:
		return nil
	case err != nil:
		return w.later(job, "a run cannot be recovered", err)
	}
	w.node.Log.Warn("a run has lost its worker", "run", run.ID, "kind", run.Kind)
	return nil // the run has another job, if it needs one
}

// cancelled ends a run that no worker has and whose cancellation was requested.
func (w *worker) cancelled(job *river.Job[app.Job], run app.ProcessRun) error {
	err := w.node.Store.Finish(context.Background(), run, app.Outcome{Status: app.Cancelled})
	if err != nil && app.CodeOf(err) != app.CodeConflict {
		return w.later(job, "a run cannot be cancelled", err)
	}
	return nil
}

// later has a job handed out again after the database was of no use.
func (w *worker) later(job *river.Job[app.Job], what string, err error) error {
	if w.node.lifecycle.Fetch.Err() == nil {
		w.node.Log.Warn(what, "run", job.Args.Run, "error", err)
		_ = pause(w.node.lifecycle.Fetch, tick) // not at once, it might spin
	}
	return inLine(job)
}

// inLine has a job handed out again, as if it had not been, from the place in line that it had. River's own JobSnooze
// cannot say that: it refuses a time that has passed.
func inLine(job *river.Job[app.Job]) error {
	return &rivertype.JobSnoozeError{Duration: time.Until(job.ScheduledAt)}
}

// during returns a context that ends with parent and with the lease, for their causes, with the cause that the function is
// given, or with jobs.ErrCancelled when River says that the job is cancelled.
func during(parent, lease, delivered context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	forget := context.AfterFunc(lease, func() { cancel(context.Cause(lease)) })
	deafen := context.AfterFunc(delivered, func() {
		if errors.Is(context.Cause(delivered), rivertype.ErrJobCancelledRemotely) {
			cancel(jobs.ErrCancelled)
		}
	})
	return ctx, func(cause error) {
		forget()
		deafen()
		cancel(cause)
	}
}
