package app

import (
	"fmt"
	"time"
)

// The functions of this file are the state machine of runs. Each takes a run as it was read and returns it as
// it is after the change, with the event for its history. They are pure: the store reads the run, calls the
// function and writes the result only if the stored run still has the version that was read.
//
// at is the time of the change, in UTC with millisecond precision. If a change is not allowed, the run is
// returned as it was, with an error with CodeConflict. The store, which numbers failures, sets Failure of a
// run that becomes Failed.
//
// Progress is no change of the state: WorkStore.SaveProgress saves it without an event.

// The notes of events. The note of another change is the error of the run.
const (
	NoteCancelRequested = "cancellation requested"
	NoteCancelled       = "cancelled before it was started"
	NoteRetried         = "retried manually"
	NoteInterrupted     = "interrupted by a shutdown"
	NoteCrashed         = "interrupted by a crash"
)

// ErrorDoneBeforeCancel is the error of a cancelled run whose work completed before it could be stopped.
const ErrorDoneBeforeCancel = "The work was done before it could be stopped."

// Start begins an attempt of a created run. Whether the run is due is for the caller to decide.
func Start(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
	if run.Status != Created {
		return run, Event{}, conflict(run, "started")
	}
	next := changed(run, Started, at)
	next.Attempt++
	next.FencingToken++
	next.Error = ""
	next.StartedAt = at
	next.ScheduledAt = time.Time{}
	next.Progress = Progress{Percent: NoPercent}
	return next, eventOf(next, ""), nil
}

// Finish ends the attempt of a started run. If cancellation was requested, the run is cancelled whatever the
// outcome. An outcome that cannot follow Started is an error without a code.
func Finish(run ProcessRun, outcome Outcome, at time.Time) (ProcessRun, Event, error) {
	if !Started.CanBecome(outcome.Status) {
		return run, Event{}, fmt.Errorf("run %d cannot finish as %s", run.ID, outcome.Status)
	}
	if run.Status != Started {
		return run, Event{}, conflict(run, "finished")
	}
	next := leaveStarted(run, outcome.Status, at)
	next.Error = outcome.Error
	if next.Status == Cancelled && outcome.Status == Completed {
		next.Error = ErrorDoneBeforeCancel
	}
	if next.Status == Created && outcome.RetryIn > 0 {
		next.ScheduledAt = at.Add(outcome.RetryIn).Truncate(time.Millisecond)
	}
	return next, eventOf(next, next.Error), nil
}

// Requeue returns an interrupted run to created. The interrupted attempt does not count. If cancellation was
// requested, the run is cancelled instead.
func Requeue(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
	if run.Status != Started {
		return run, Event{}, conflict(run, "requeued")
	}
	next := leaveStarted(run, Created, at)
	next.Attempt--
	return next, eventOf(next, NoteInterrupted), nil
}

// Crash ends the attempt of a started run whose process died. The run is created again, and the attempt does
// not count; or, after maxCrashes crashes, it is failed. If cancellation was requested, the run is cancelled.
func Crash(run ProcessRun, maxCrashes int, at time.Time) (ProcessRun, Event, error) {
	if run.Status != Started {
		return run, Event{}, conflict(run, "rescued")
	}
	crashes := run.Crashes + 1
	status := Created
	if crashes >= maxCrashes {
		status = Failed
	}
	next := leaveStarted(run, status, at)
	next.Crashes = crashes
	if next.Status == Failed {
		next.Error = crashError(crashes)
	} else {
		next.Attempt--
	}
	return next, eventOf(next, NoteCrashed), nil
}

// crashError returns the error of a run that failed because of its crashes.
func crashError(crashes int) string {
	if crashes == 1 {
		return "crashed: the process died during this run"
	}
	return fmt.Sprintf("crashed: the process died %d times during this run", crashes)
}

// RequestCancel cancels a created run, and requests cancellation of a started one. A second request changes
// nothing: it returns the run as it was and the zero Event.
func RequestCancel(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
	switch {
	case run.Status == Created:
		next := changed(run, Cancelled, at)
		next.ScheduledAt = time.Time{}
		next.FinishedAt = at
		return next, eventOf(next, NoteCancelled), nil
	case run.CancelRequested():
		return run, Event{}, nil
	case run.Status == Started:
		next := changed(run, Started, at)
		next.CancelRequestedAt = at
		return next, eventOf(next, NoteCancelRequested), nil
	}
	return run, Event{}, Errorf(CodeConflict, "Run #%d is already %s.", run.ID, run.Status)
}

// CancelSnoozed cancels a started run whose job is snoozed. No worker has the run, so none could stop it.
func CancelSnoozed(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
	if run.Status != Started {
		return run, Event{}, conflict(run, "cancelled")
	}
	next := run
	next.CancelRequestedAt = at
	next = leaveStarted(next, Cancelled, at)
	return next, eventOf(next, next.Error), nil
}

// Retry returns a failed or cancelled run to created, with all its attempts before it. It starts at
// scheduledAt, or as soon as possible if that is zero.
func Retry(run ProcessRun, scheduledAt, at time.Time) (ProcessRun, Event, error) {
	if run.Status != Failed && run.Status != Cancelled {
		return run, Event{}, Errorf(CodeConflict,
			"Run #%d is %s. Only failed or cancelled runs can be retried.", run.ID, run.Status)
	}
	next := ProcessRun{
		ID: run.ID, Kind: run.Kind, Status: Created, Version: run.Version + 1, FencingToken: run.FencingToken,
		CreatedAt: run.CreatedAt, UpdatedAt: at, ScheduledAt: scheduledAt,
		Progress:   Progress{Percent: NoPercent},
		InputCount: run.InputCount, Inputs: run.Inputs, ConcurrencyKey: run.ConcurrencyKey,
	}
	return next, eventOf(next, NoteRetried), nil
}

// leaveStarted ends the attempt of a started run, which is cancelled if that was requested.
func leaveStarted(run ProcessRun, status Status, at time.Time) ProcessRun {
	if run.CancelRequested() {
		status = Cancelled
	}
	next := changed(run, status, at)
	next.ScheduledAt = time.Time{}
	if status.Final() {
		next.FinishedAt = at
	}
	return next
}

// changed returns the next version of a run.
func changed(run ProcessRun, status Status, at time.Time) ProcessRun {
	run.Status = status
	run.Version++
	run.UpdatedAt = at
	return run
}

// eventOf returns the event of the change that led to run.
func eventOf(run ProcessRun, note string) Event {
	return Event{
		Version: run.Version, At: run.UpdatedAt, Status: run.Status, Attempt: run.Attempt, Note: note,
	}
}

func conflict(run ProcessRun, change string) error {
	return Errorf(CodeConflict, "Run #%d is %s and cannot be %s.", run.ID, run.Status, change)
}
