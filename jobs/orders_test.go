package jobs

import (
	"testing"

	"runboard/app"
)

func TestARunOnItsLastChanceWaitsForNobodyWhoHasEnded(t *testing.T) {
	t.Parallel()
	d := newDispatcher(&Queue{Workers: 3, MaxCrashes: 3})
	defer d.worker.orders.expect(1, func() {})()
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
	forget := d.worker.orders.expect(2, func() {})
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
