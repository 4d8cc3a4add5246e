package jobs

import (
	"testing"

	"runboard/app"
)

func TestARunOnItsLastChanceWaitsForNobodyWhoHasEnded(t *testing.T) {
	t.Parallel()
	d := newDispatcher(&Queue{Workers: 3, MaxCrashes: 3})
	defer d.worker.orders.expect(app.ProcessRun{ID: 1}, func() {})()
	d.inFlight[1] = app.ProcessRun{ID: 1}
	last := app.ProcessRun{ID: 2, Crashes: 2}
	if d.admit(last) != holdAll {
		t.Error("it goes beside a run that it could take with it")
	}
	d.worker.orders.giveUp(1)
	if d.admit(last) != admitted {
		t.Error("it waits for work that never returns")
	}
	d.inFlight[2], d.suspects = last, 1
	if !d.mustWait() {
		t.Error("others go beside it")
	}
	forget := d.worker.orders.expect(app.ProcessRun{ID: 2}, func() {})
	d.worker.orders.giveUp(2)
	if d.mustWait() {
		t.Error("others wait for it although it has ended")
	}
	forget()
	d.worker.orders.giveUp(2) // too late: its work has just returned
	if d.worker.orders.isGivenUp(2) {
		t.Error("it is remembered for ever")
	}
}

func TestCancelRequest_IsForOneAttempt(t *testing.T) {
	t.Parallel()
	var o orders
	stopped, woken := 0, 0
	defer o.expect(app.ProcessRun{ID: 1, FencingToken: 2}, func() { stopped++ })()
	defer o.rest(app.ProcessRun{ID: 2, Version: 5}, func() { woken++ })()

	o.stop(app.CancelRequest{Run: 1, FencingToken: 1}) // a late answer about the attempt before
	o.wake(app.CancelledRun{Run: 2, Version: 3})
	if stopped+woken > 0 {
		t.Errorf("late answers stop %d attempts and end %d rests", stopped, woken)
	}

	o.stop(app.CancelRequest{Run: 1, FencingToken: 2})
	o.wake(app.CancelledRun{Run: 2, Version: 6})
	if stopped != 1 || woken != 1 {
		t.Errorf("answers in time stop %d attempts and end %d rests", stopped, woken)
	}
}
