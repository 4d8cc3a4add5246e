package jobs

import "sync"

// orders carries the wish to stop a run from the dispatcher, which reads it in the database, to the worker
// that does the run.
type orders struct {
	mu      sync.Mutex
	cancels map[int64]func() // by run
}

func newOrders() *orders { return &orders{cancels: make(map[int64]func())} }

// expect has cancel called when the run is to stop, until the function that it returns is called.
func (o *orders) expect(run int64, cancel func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancels[run] = cancel
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.cancels, run)
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
