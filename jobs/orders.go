package jobs

import (
	"maps"
	"slices"
	"sync"
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
	do      func()
	givenUp bool // the run has ended although its work goes on
}

// rest has wake called when the run is not to be started after all, until the function that it returns is
// called. It is not expect: a wish that was read while the run rested says nothing of its work.
func (o *orders) rest(run int64, wake func()) (forget func()) { return o.put(&o.wakes, run, wake) }

// expect has cancel called when the run is to stop, until the function that it returns is called.
func (o *orders) expect(run int64, cancel func()) (forget func()) {
	return o.put(&o.cancels, run, cancel)
}

func (o *orders) put(all *map[int64]*order, run int64, do func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if *all == nil {
		*all = make(map[int64]*order)
	}
	mine := &order{do: do}
	(*all)[run] = mine
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if (*all)[run] == mine {
			delete(*all, run)
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

// wake ends the rest of a run, if it rests. To do so again changes nothing.
func (o *orders) wake(run int64) { o.give(&o.wakes, run) }

// stop cancels a run, if it is being worked on. To do so again changes nothing.
func (o *orders) stop(run int64) { o.give(&o.cancels, run) }

func (o *orders) give(all *map[int64]*order, run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if order := (*all)[run]; order != nil {
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
