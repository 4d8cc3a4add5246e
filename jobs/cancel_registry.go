package jobs

import (
	"maps"
	"slices"
	"sync"

	"runboard/app"
)

// cancelRegistry maps the runs of this process to functions that cancel them. The zero registry is ready to use.
type cancelRegistry struct {
	mu       sync.Mutex
	delays   map[int64]*cancelEntry // runs that are delayed before their start
	attempts map[int64]*cancelEntry // runs whose work goes on
}

// cancelEntry is a registered run. A run may be registered again before its first entry is removed, when its worker lost it
// and it was started again.
type cancelEntry struct {
	run       app.ProcessRun // when it was registered
	cancel    func()
	abandoned bool // the run has ended although its work goes on
}

// registerDelay has cancel called if the run is cancelled before its start, until remove is called. Cancel requests that were
// read during the delay do not concern the attempt that follows.
func (c *cancelRegistry) registerDelay(run app.ProcessRun, cancel func()) (remove func()) {
	return c.add(&c.delays, run, cancel)
}

// register has cancel called if cancellation of the attempt is requested, until remove is called.
func (c *cancelRegistry) register(run app.ProcessRun, cancel func()) (remove func()) {
	return c.add(&c.attempts, run, cancel)
}

func (c *cancelRegistry) add(entries *map[int64]*cancelEntry, run app.ProcessRun, cancel func()) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *entries == nil {
		*entries = make(map[int64]*cancelEntry)
	}
	entry := &cancelEntry{run: run, cancel: cancel}
	(*entries)[run.ID] = entry
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if (*entries)[run.ID] == entry {
			delete(*entries, run.ID)
		}
	}
}

// delayed returns the runs that are delayed.
func (c *cancelRegistry) delayed() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.delays))
}

// active reports whether any work goes on.
func (c *cancelRegistry) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts) > 0
}

// cancelDelay ends the delay of a run that has been cancelled since the delay began. Repeating it changes nothing.
func (c *cancelRegistry) cancelDelay(cancelled app.CancelledRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.delays[cancelled.Run]
	if entry != nil && entry.run.Version < cancelled.Version {
		entry.cancel()
	}
}

// cancel cancels the attempt that request is for, if its work goes on here. Repeating it changes nothing.
func (c *cancelRegistry) cancel(request app.CancelRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.attempts[request.Run]
	if entry != nil && entry.run.FencingToken == request.FencingToken {
		entry.cancel()
	}
}

// abandon records that a run has ended although its work goes on, until the entry is removed.
func (c *cancelRegistry) abandon(run int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.attempts[run]; entry != nil {
		entry.abandoned = true
	}
}

// abandoned reports whether a run has ended although its work goes on. A crash can no longer fail it.
func (c *cancelRegistry) abandoned(run int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.attempts[run]
	return entry != nil && entry.abandoned
}
