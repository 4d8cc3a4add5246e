package jobs

import (
	"testing"

	"runboard/app"
)

func TestARunOnItsLastChanceWaitsForNobodyWhoHasEnded(t *testing.T) {
	t.Parallel()
	d := newDispatcher(&Queue{Workers: 3, MaxCrashes: 3})
	defer d.executor.cancels.register(app.ProcessRun{ID: 1}, func() {})()
	d.inFlight[1] = app.ProcessRun{ID: 1}
	last := app.ProcessRun{ID: 2, Crashes: 2}
	if d.admit(last) != blockAll {
		t.Error("it goes beside a run that it could take with it")
	}
	d.executor.cancels.abandon(1)
	if d.admit(last) != admitted {
		t.Error("it waits for work that never returns")
	}
	d.inFlight[2], d.interrupted = last, 1
	if !d.exclusiveActive() {
		t.Error("others go beside it")
	}
	forget := d.executor.cancels.register(app.ProcessRun{ID: 2}, func() {})
	d.executor.cancels.abandon(2)
	if d.exclusiveActive() {
		t.Error("others wait for it although it has ended")
	}
	forget()
	d.executor.cancels.abandon(2) // too late: the work has just returned
	if d.executor.cancels.abandoned(2) {
		t.Error("it is remembered for ever")
	}
}

func TestCancelRequest_IsForOneAttempt(t *testing.T) {
	t.Parallel()
	var o cancelRegistry
	cancelled := 0
	defer o.register(app.ProcessRun{ID: 1, FencingToken: 2}, func() { cancelled++ })()

	o.cancel(app.CancelRequest{Run: 1, FencingToken: 1}) // late request for the attempt before
	if cancelled > 0 {
		t.Error("a request for an earlier attempt cancels this one")
	}

	o.cancel(app.CancelRequest{Run: 1, FencingToken: 2})
	if cancelled != 1 {
		t.Errorf("a request for the attempt cancels it %d times", cancelled)
	}
}
