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
	d.executor.cancels.abandon(2) // too late: its work has just returned
	if d.executor.cancels.abandoned(2) {
		t.Error("it is remembered for ever")
	}
}

func TestCancelRequest_IsForOneAttempt(t *testing.T) {
	t.Parallel()
	var o cancelRegistry
	stopped, woken := 0, 0
	defer o.register(app.ProcessRun{ID: 1, FencingToken: 2}, func() { stopped++ })()
	defer o.registerDelay(app.ProcessRun{ID: 2, Version: 5}, func() { woken++ })()

	o.cancel(app.CancelRequest{Run: 1, FencingToken: 1}) // a late answer about the attempt before
	o.cancelDelay(app.CancelledRun{Run: 2, Version: 3})
	if stopped+woken > 0 {
		t.Errorf("late answers stop %d attempts and end %d rests", stopped, woken)
	}

	o.cancel(app.CancelRequest{Run: 1, FencingToken: 2})
	o.cancelDelay(app.CancelledRun{Run: 2, Version: 6})
	if stopped != 1 || woken != 1 {
		t.Errorf("answers in time stop %d attempts and end %d rests", stopped, woken)
	}
}
