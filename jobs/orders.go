package jobs

import "sync"

// orders carries the wish to stop a run from the dispatcher, which reads it in the database, to the worker
// that does the run.
type orders struct {
	mu      sync.Mutex
	cancels map[int64]func() // by run
	givenUp map[int64]bool   // runs whose work goes on although they have ended
}

func newOrders() *orders {
	return &orders{cancels: make(map[int64]func()), givenUp: make(map[int64]bool)}
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

// giveUp notes that a run has ended although its work goes on, until expect's function is called.
func (o *orders) giveUp(run int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.givenUp[run] = true
}

// isGivenUp reports whether a run has ended although its work goes on: no crash can harm it any more.
func (o *orders) isGivenUp(run int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.givenUp[run]
}
