package jobs

import (
	"maps"
	"slices"
	"sync"

	"runboard/app"
)

// orders carries the wish to stop a run from the dispatcher, which reads it in the database, to the worker
// that does the run.
type orders struct {
	mu      sync.Mutex
	cancels map[int64]func() // by run
	started map[int64]app.ProcessRun
	givenUp map[int64]bool // runs whose work goes on although they have ended
}

func newOrders() *orders {
	return &orders{cancels: make(map[int64]func()), started: make(map[int64]app.ProcessRun), givenUp: make(map[int64]bool)}
}

// expect has cancel called when a run that is started is to stop, until the function that it returns is called.
func (o *orders) expect(run app.ProcessRun, cancel func()) (forget func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancels[run.ID], o.started[run.ID] = cancel, run
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.cancels, run.ID)
		delete(o.started, run.ID)
		delete(o.givenUp, run.ID)
	}
}

// all are the runs that are started.
func (o *orders) all() []app.ProcessRun {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Values(o.started))
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
