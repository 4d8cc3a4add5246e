package jobs

import (
	"maps"
	"slices"
	"sync"
)

// orders carries the wish to stop a run from the dispatcher, which reads it in the database, to the worker
// that does the run.
type orders struct {
	mu      sync.Mutex
	wakes   map[int64]func() // by run that rests before it is started
	cancels map[int64]func() // by run that is worked on
	givenUp map[int64]bool   // runs whose work goes on although they have ended
}

func newOrders() *orders {
	return &orders{wakes: make(map[int64]func()), cancels: make(map[int64]func()), givenUp: make(map[int64]bool)}
}

// rest has wake called when the run is not to be started after all, until the function that it returns is
// called. It is not expect: a wish that was read while the run rested says nothing of its work.
func (o *orders) rest(run int64, wake func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakes[run] = wake
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.wakes, run)
	}
}

// resting returns the runs that rest.
func (o *orders) resting() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.wakes))
}

// wake ends the rest of a run, if it rests. To do so again changes nothing.
func (o *orders) wake(run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if wake := o.wakes[run]; wake != nil {
		wake()
	}
}

// expect has cancel called when the run is to stop, until the function that it returns is called.
func (o *orders) expect(run int64, cancel func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancels[run] = cancel
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.cancels, run)
		delete(o.givenUp, run)
	}
}

// stop cancels a run, if it is being worked on. To do so again changes nothing.
func (o *orders) stop(run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cancel := o.cancels[run]; cancel != nil {
		cancel()
	}
}

// giveUp notes that a run has as good as ended although its work goes on, until expect's function is called.
func (o *orders) giveUp(run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancels[run] != nil { // else its work has returned
		o.givenUp[run] = true
	}
}

// isGivenUp reports whether a run has as good as ended although its work goes on: no crash can fail it any more.
func (o *orders) isGivenUp(run int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.givenUp[run]
}
