package jobs

import (
	"testing"
	"time"

	"runboard/app"
)

func TestARunOnItsLastChanceWaitsForNobodyWhoHasEnded(t *testing.T) {
	t.Parallel()
	d := newDispatcher(&Queue{Workers: 3, MaxCrashes: 3})
	defer d.orders.expect(app.ProcessRun{ID: 1}, func() {})()
	d.inFlight[1] = flight{ProcessRun: app.ProcessRun{ID: 1}}
	last := app.ProcessRun{ID: 2, Crashes: 2}
	if d.admit(last) != holdAll {
		t.Error("it goes beside a run that it could take with it")
	}
	d.orders.giveUp(1)
	if d.admit(last) != admitted {
		t.Error("it waits for work that never returns")
	}
	d.inFlight[2] = flight{last, time.Now()}
	if !d.mustWait() {
		t.Error("others go beside it")
	}
	d.inFlight[2] = flight{last, time.Now().Add(-soloTime)}
	if d.mustWait() {
		t.Error("others wait for it for ever")
	}
	forget := d.orders.expect(app.ProcessRun{ID: 2}, func() {})
	d.orders.giveUp(2)
	if d.mustWait() {
		t.Error("others wait for it although it has ended")
	}
	if forget(); d.orders.isGivenUp(2) {
		t.Error("it is remembered for ever")
	}
}
