package jobs

import (
	"maps"
	"slices"
	"sync"

	"runboard/app"
)

// orders carries the wish to stop a run from whoever reads it in the database to the worker that does the run. The zero
// orders is ready to use.
type orders struct {
	mu      sync.Mutex
	wakes   map[int64]*order // by run that rests before it is started
	cancels map[int64]*order // by run that is worked on
}

// order is what may be wished of a run. A run may have another one before the first is forgotten, when its worker lost
// it, and it came back.
type order struct {
	run     app.ProcessRun // as it was when the order was put
	do      func()
	givenUp bool // the run has ended although its work goes on
}

// rest has wake called when the run is not to be started after all, until the function that it returns is
// called. It is not expect: a wish that was read while the run rested says nothing of its work.
func (o *orders) rest(run app.ProcessRun, wake func()) (forget func()) {
	return o.put(&o.wakes, run, wake)
}

// expect has cancel called when the run is to stop, until the function that it returns is called.
func (o *orders) expect(run app.ProcessRun, cancel func()) (forget func()) {
	return o.put(&o.cancels, run, cancel)
}

func (o *orders) put(all *map[int64]*order, run app.ProcessRun, do func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if *all == nil {
		*all = make(map[int64]*order)
	}
	mine := &order{run: run, do: do}
	(*all)[run.ID] = mine
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if (*all)[run.ID] == mine {
			delete(*all, run.ID)
		}
	}
}

// resting returns the runs that rest.
func (o *orders) resting() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.wakes))
}

// working reports whether any run is worked on.
func (o *orders) working() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.cancels) > 0
}

// wake ends the rest of a run, if the run has been cancelled since the rest began. To do so again changes nothing.
func (o *orders) wake(cancelled app.CancelledRun) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order := o.wakes[cancelled.Run]
	if order != nil && order.run.Version < cancelled.Version {
		order.do()
	}
}

// stop cancels the attempt that a request names, if it is worked on here. To do so again changes nothing.
func (o *orders) stop(request app.CancelRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order := o.cancels[request.Run]
	if order != nil && order.run.FencingToken == request.FencingToken {
		order.do()
	}
}

// giveUp notes that a run has as good as ended although its work goes on, until expect's function is called.
func (o *orders) giveUp(run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if order := o.cancels[run]; order != nil { // else its work has returned
		order.givenUp = true
	}
}

// isGivenUp reports whether a run has as good as ended although its work goes on: no crash can fail it any more.
func (o *orders) isGivenUp(run int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	order := o.cancels[run]
	return order != nil && order.givenUp
}
