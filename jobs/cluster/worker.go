package cluster

import (
	"context"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// startAndWork starts the run of a claimed job, if that may start now, and works on it.
func (f *fetcher) startAndWork(lease context.Context, job app.WaitingJob) {
	run, started := f.start(lease, job)
	if started {
		f.work(lease, run)
	}
}

// start starts the run of a claimed job, and ends the claim.
func (f *fetcher) start(lease context.Context, job app.WaitingJob) (run app.ProcessRun, started bool) {
	defer f.unclaim(job)
	if f.mustStop(lease) {
		return run, false
	}
	// There is no deadline: a start that this node gives up may be committed all the same. The store
	// returns as soon as it knows the outcome.
	run, started, err := f.node.Store.StartJob(context.Background(), job)
	if err != nil {
		f.node.startFailed()
	}
	if fetching := f.node.lifecycle.Fetch; err != nil && fetching.Err() == nil {
		level := app.RepeatedLevel(err)
		f.node.log.Log(fetching, level, "a run cannot be started", "run", job.Run, "error", err)
		_ = jobs.Sleep(fetching, tick) // with the slot, so that the node does not spin
	}
	return run, started
}

// mustStop reports whether no work may begin: this node stops, or has lost the lease that it had at the
// fetch.
func (f *fetcher) mustStop(lease context.Context) bool {
	return f.node.lifecycle.Fetch.Err() != nil || lease.Err() != nil
}

// work works on a run that this node has started or continues.
func (f *fetcher) work(lease context.Context, run app.ProcessRun) {
	defer f.node.hold(run)()
	switch {
	case f.mustStop(lease) && f.snoozeAfter > 0:
		f.snooze(run)
	case f.mustStop(lease):
		f.requeue(run)
	case f.execute(lease, run):
		f.snooze(run)
	}
}

// execute executes an attempt of a run, and reports whether the run is to be snoozed.
func (f *fetcher) execute(lease context.Context, run app.ProcessRun) (snoozed bool) {
	lifecycle := f.node.lifecycle
	working, stop := mergeCancel(lifecycle.Work, lease)
	defer stop(nil)
	if f.snoozeAfter > 0 {
		snooze := func() { stop(jobs.ErrSnoozed) }
		defer time.AfterFunc(f.snoozeAfter, snooze).Stop()
		defer context.AfterFunc(lifecycle.Fetch, snooze)() // another node continues it
		deadline := run.StartedAt.Add(f.executor.RunTimeout)
		var cancel context.CancelFunc
		working, cancel = context.WithDeadlineCause(working, deadline, jobs.ErrTimeout)
		defer cancel()
	}
	return f.executor.Execute(jobs.WithLease(working, f.node.Store.LeaseLeft), lifecycle, run)
}

// requeue requeues a started run whose work has not begun. If that cannot be saved, other nodes rescue the
// run.
func (f *fetcher) requeue(run app.ProcessRun) {
	err := f.node.Store.Requeue(context.Background(), run)
	if err != nil && app.CodeOf(err) != app.CodeConflict {
		f.node.log.Warn("a run that has not begun cannot be requeued", "run", run.ID, "error", err)
	}
}

// snooze snoozes a run. It goes on trying until the node stops: only this node knows that the run has no
// worker.
func (f *fetcher) snooze(run app.ProcessRun) {
	for {
		err := f.node.Store.Snooze(context.Background(), run)
		if err == nil || app.CodeOf(err) == app.CodeConflict {
			return
		}
		f.node.log.Warn("a run cannot be snoozed", "run", run.ID, "error", err)
		if jobs.Sleep(f.node.lifecycle.Work, tick) != nil {
			return
		}
	}
}

// mergeCancel returns a context that ends with parent and with lease, with their causes. The returned
// function cancels the context with the cause it is given, and releases its resources.
func mergeCancel(parent, lease context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	unhook := context.AfterFunc(lease, func() { cancel(context.Cause(lease)) })
	return ctx, func(cause error) {
		unhook()
		cancel(cause)
	}
}
