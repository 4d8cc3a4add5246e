package jobs

import (
	"testing"

	"runboard/app"
)

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

func TestCancelRegistry_TellsWhenWorkBegins(t *testing.T) {
	t.Parallel()
	var o cancelRegistry
	activated := func() bool {
		select {
		case <-o.activated():
			return true
		default:
			return false
		}
	}
	if activated() {
		t.Error("it is activated without work")
	}
	first := o.register(app.ProcessRun{ID: 1}, func() {})
	second := o.register(app.ProcessRun{ID: 2}, func() {})
	if !activated() || activated() {
		t.Error("it is not activated once by two runs")
	}
	first()
	second()
	defer o.register(app.ProcessRun{ID: 3}, func() {})()
	if !activated() {
		t.Error("it is not activated again after all work has ended")
	}
}
